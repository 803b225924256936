// Assistants, threads, messages, and lists of them.

import assert from 'node:assert/strict';
import { WEATHER, collected, textOf } from './api.mjs';

const WORDS = ['one', 'two', 'three', 'four', 'five'];

export async function assistants_are_made_changed_and_deleted(api) {
  const made = await api.assistant({ tools: [WEATHER], metadata: { team: 'support' }, temperature: 0.4 });

  const changed = await api.assistants.update(made.id, { name: 'Grace' });
  const read = await api.assistants.retrieve(made.id);
  const gone = await api.assistants.delete(made.id);

  assert.deepEqual(read, { ...made, name: 'Grace' });
  assert.deepEqual(changed, read);
  assert.deepEqual(gone, { id: made.id, object: 'assistant.deleted', deleted: true });
  await api.refused('NotFoundError', () => api.assistants.retrieve(made.id));
}

export async function threads_are_made_changed_and_deleted(api) {
  const made = await api.threads.create();

  const changed = await api.threads.update(made.id, { metadata: { customer: '17' } });
  const gone = await api.threads.delete(made.id);

  assert.deepEqual(changed, { ...made, metadata: { customer: '17' } });
  assert.deepEqual(gone, { id: made.id, object: 'thread.deleted', deleted: true });
}

export async function messages_are_made_changed_and_deleted(api) {
  const thread = await api.thread();
  const messages = api.threads.messages;
  const made = await messages.create(thread.id, { role: 'user', content: [{ type: 'text', text: 'Hello' }] });

  const changed = await messages.update(made.id, { thread_id: thread.id, metadata: { page: '2' } });
  const read = await messages.retrieve(made.id, { thread_id: thread.id });
  const gone = await messages.delete(made.id, { thread_id: thread.id });

  assert.deepEqual(changed, { ...made, metadata: { page: '2' } });
  assert.deepEqual(read, changed);
  assert.equal(textOf(read), 'Hello');
  assert.deepEqual(gone, { id: made.id, object: 'thread.message.deleted', deleted: true });
}

export async function lists_page_forward(api) {
  const thread = await api.thread(...WORDS);

  const newestFirst = await collected(api.threads.messages.list(thread.id, { limit: 1 }));
  const oldestFirst = await collected(api.threads.messages.list(thread.id, { limit: 2, order: 'asc' }));

  assert.deepEqual(newestFirst.map(textOf), WORDS.toReversed());
  assert.deepEqual(oldestFirst.map(textOf), WORDS);
}

export async function lists_page_backward(api) {
  const thread = await api.thread(...WORDS);
  const all = (await api.threads.messages.list(thread.id, { order: 'asc' })).data;

  const page = await api.threads.messages.list(thread.id, { order: 'asc', before: all[4].id, limit: 2 });

  assert.deepEqual(page.data.map(textOf), ['three', 'four']);
  assert.equal(page.has_more, true);
}

export async function an_empty_list_ends(api) {
  const thread = await api.thread();

  const page = await api.threads.messages.list(thread.id);

  assert.deepEqual(page.data, []);
  assert.equal(page.hasNextPage(), false);
  assert.deepEqual(await collected(api.runs.list(thread.id)), []);
}

export async function models_are_read(api) {
  const names = (await collected(api.client.models.list())).map((model) => model.id);

  assert(names.includes('scripted'), names);
}
