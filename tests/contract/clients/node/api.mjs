// The API as a scenario gets it, and what is asked of it again and again.

import assert from 'node:assert/strict';

export const WEATHER = {
  type: 'function',
  function: {
    name: 'get_weather',
    description: 'The weather in a city.',
    parameters: { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] },
  },
};
export const PACK = {
  type: 'function',
  function: { name: 'pack', parameters: { type: 'object', properties: { weather: { type: 'string' } } } },
};
const PATIENCE_MS = 30_000;

export class Api {
  constructor(sdk, url, key, strangersKey) {
    Object.assign(this, { sdk, url });
    this.client = this.withKey(key);
    this.stranger = this.withKey(strangersKey);
    this.threads = this.client.beta.threads;
    this.runs = this.client.beta.threads.runs;
    this.assistants = this.client.beta.assistants;
  }

  /** A client that never tries again, so that no error is hidden. */
  withKey(apiKey) {
    return new this.sdk.OpenAI({ baseURL: this.url, apiKey, maxRetries: 0 });
  }

  assistant(given = {}) {
    return this.assistants.create({ model: 'gpt-4o', name: 'Ada', ...given });
  }

  /** A new thread in which the user has said these. */
  thread(...asks) {
    return this.threads.create({ messages: asks.map((content) => ({ role: 'user', content })) });
  }

  /** A run in a new thread, as far as it goes by itself. */
  async run(ask, assistant = {}) {
    const [thread, made] = [await this.thread(ask), await this.assistant(assistant)];
    return this.runs.createAndPoll(thread.id, { assistant_id: made.id });
  }

  /** All that was said in a thread, oldest first. */
  async texts(threadId) {
    const said = [];
    for await (const message of this.threads.messages.list(threadId, { order: 'asc' })) said.push(textOf(message));
    return said;
  }

  /** The run when it is in this state. */
  async waitFor(run, status) {
    for (const end = Date.now() + PATIENCE_MS; ; ) {
      const seen = await this.runs.retrieve(run.id, { thread_id: run.thread_id });
      if (seen.status === status) return seen;
      assert(Date.now() < end, `not ${status} but ${seen.status}`);
      await new Promise((done) => setTimeout(done, 50));
    }
  }

  /** The error of a refusal. */
  async refused(kind, ask) {
    const error = await Promise.resolve(ask()).then(
      () => assert.fail('not refused'),
      (problem) => problem,
    );
    assert.equal(error.constructor, this.sdk[kind], error.stack);
    return error;
  }
}

export function textOf(message) {
  return message.content.map((part) => part.text?.value ?? '').join('');
}

/** What the functions give: the weather is the city in lower case, luggage the weather in upper case. */
export function outputsOf(run) {
  return run.required_action.submit_tool_outputs.tool_calls.map((call) => {
    const given = JSON.parse(call.function.arguments);
    return { tool_call_id: call.id, output: given.city?.toLowerCase() ?? given.weather.toUpperCase() };
  });
}

export async function collected(pages) {
  const found = [];
  for await (const each of pages) found.push(each);
  return found;
}

/** Without repetitions next to each other. */
export function merged(names) {
  return names.filter((name, index) => name !== names[index - 1]);
}
