// Runs that a client polls, their tools, and what is refused.

import assert from 'node:assert/strict';
import { PACK, WEATHER, collected, outputsOf } from './api.mjs';

const NOWHERE = '0'.repeat(32);

export async function a_run_is_polled(api) {
  const run = await api.run('Hello', { instructions: 'Be brief.' });

  const steps = (await api.runs.steps.list(run.id, { thread_id: run.thread_id })).data;
  const step = await api.runs.steps.retrieve(steps[0].id, { thread_id: run.thread_id, run_id: run.id });

  assert.equal(run.status, 'completed', JSON.stringify(run));
  assert(run.usage.total_tokens > 0);
  assert.deepEqual(await api.texts(run.thread_id), ['Hello', 'You said: Hello']);
  assert.deepEqual(step, steps[0]);
  assert.equal(step.type, 'message_creation');
}

export async function a_thread_is_run_at_once(api) {
  const assistant = await api.assistant();

  const run = await api.threads.createAndRunPoll({
    assistant_id: assistant.id,
    thread: { messages: [{ role: 'user', content: 'Hello' }] },
  });

  assert.equal(run.status, 'completed', JSON.stringify(run));
  assert.deepEqual(await api.texts(run.thread_id), ['Hello', 'You said: Hello']);
}

export async function tools_are_called_in_parallel(api) {
  const run = await api.run('weather in Paris and Rome', { tools: [WEATHER] });

  const ended = await api.runs.submitToolOutputsAndPoll(run.id, {
    thread_id: run.thread_id,
    tool_outputs: outputsOf(run),
  });

  assert.equal(run.status, 'requires_action');
  assert.equal(ended.status, 'completed', JSON.stringify(ended));
  assert.equal((await api.texts(run.thread_id)).at(-1), 'Paris: paris. Rome: rome.');
}

export async function tools_are_called_one_after_the_other(api) {
  let run = await api.run('trip to Oslo', { tools: [WEATHER, PACK] });
  const called = [];

  while (run.status === 'requires_action') {
    called.push(...run.required_action.submit_tool_outputs.tool_calls.map((call) => call.function.name));
    const given = { thread_id: run.thread_id, tool_outputs: outputsOf(run) };
    run = await api.runs.submitToolOutputsAndPoll(run.id, given);
  }

  assert.deepEqual(called, ['get_weather', 'pack']);
  assert.equal((await api.texts(run.thread_id)).at(-1), 'For Oslo take OSLO: it is oslo.');
}

export async function words_come_before_a_call_of_a_tool(api) {
  const run = await api.run('think, weather in Paris', { tools: [WEATHER] });

  await api.runs.submitToolOutputsAndPoll(run.id, { thread_id: run.thread_id, tool_outputs: outputsOf(run) });

  assert.deepEqual(await api.texts(run.thread_id), ['think, weather in Paris', 'Let me look.', 'Paris: paris.']);
}

export async function a_run_is_cancelled_while_in_progress(api) {
  const [thread, assistant] = [await api.thread('slowly'), await api.assistant()];
  const run = await api.runs.create(thread.id, { assistant_id: assistant.id });
  await api.waitFor(run, 'in_progress');

  await api.runs.cancel(run.id, { thread_id: thread.id });

  const ended = await api.waitFor(run, 'cancelled');
  assert(ended.cancelled_at);
  const steps = await collected(api.runs.steps.list(run.id, { thread_id: thread.id }));
  assert(steps.every((step) => step.status !== 'in_progress'), JSON.stringify(steps));
}

export async function a_run_is_cancelled_while_it_waits(api) {
  const run = await api.run('weather in Paris', { tools: [WEATHER] });

  await api.runs.cancel(run.id, { thread_id: run.thread_id });

  await api.waitFor(run, 'cancelled');
}

export async function a_failing_model_fails_the_run(api) {
  const run = await api.run('fail');

  assert.equal(run.status, 'failed');
  assert.equal(run.last_error.code, 'server_error');
}

export async function wrong_keys_and_ids_are_refused(api) {
  const thread = await api.thread();

  const wrong = await api.refused('AuthenticationError', () => api.withKey('sk-wrong').beta.assistants.list());
  const assistant = await api.refused('NotFoundError', () => api.assistants.retrieve(`asst_${NOWHERE}`));
  await api.refused('NotFoundError', () => api.stranger.beta.threads.retrieve(thread.id));

  assert.equal(wrong.code, 'invalid_api_key');
  assert.equal(assistant.error.message, `No assistant found with id 'asst_${NOWHERE}'.`);
}

export async function an_active_run_locks_its_thread(api) {
  const run = await api.run('weather in Paris', { tools: [WEATHER] });
  const { id, thread_id, assistant_id } = run;

  const message = await api.refused('BadRequestError', () =>
    api.threads.messages.create(thread_id, { role: 'user', content: 'Hurry' }),
  );
  const second = await api.refused('BadRequestError', () => api.runs.create(thread_id, { assistant_id }));
  const outputs = await api.refused('BadRequestError', () =>
    api.runs.submitToolOutputs(id, { thread_id, tool_outputs: [{ tool_call_id: 'call_nowhere', output: '' }] }),
  );

  assert.equal(message.error.message, `Can't add messages to ${thread_id} while a run ${id} is active.`);
  assert.equal(second.error.message, `Thread ${thread_id} already has an active run ${id}.`);
  assert.match(outputs.error.message, /^Expected tool outputs for call_ids/);
}

export async function ended_runs_are_not_cancelled(api) {
  const { id, thread_id } = await api.run('Hello');

  const refused = await api.refused('BadRequestError', () => api.runs.cancel(id, { thread_id }));

  assert.equal(refused.error.message, "Cannot cancel run with status 'completed'.");
}

export async function unknown_models_are_refused(api) {
  const refused = await api.refused('BadRequestError', () => api.assistant({ model: 'no-such-model' }));

  assert.deepEqual([refused.param, refused.code], ['model', 'model_not_found']);
}

export async function twenty_conversations_at_once(api) {
  const assistant = await api.assistant({ tools: [WEATHER] });
  const talk = async (_, number) => {
    const thread = await api.thread(`weather in City${number}`);
    const run = await api.runs.createAndPoll(thread.id, { assistant_id: assistant.id });
    await api.runs.submitToolOutputsAndPoll(run.id, { thread_id: thread.id, tool_outputs: outputsOf(run) });
    return (await api.texts(thread.id)).at(-1);
  };

  const told = await Promise.all(Array.from({ length: 20 }, talk));

  assert.deepEqual(told, Array.from({ length: 20 }, (_, number) => `City${number}: city${number}.`));
}
