// Files, vector stores, and the search that models do in them.

import assert from 'node:assert/strict';
import { collected } from './api.mjs';

const RETURNS = 'Suitcases can be returned for thirty days, with the zebra tag still on them.';
const SHIPPING = 'Parcels to Norway take four days. Parcels to France take two days and cost six francs.';

export async function files_are_uploaded_read_and_deleted(api) {
  const { files } = api.client;
  const made = await files.create({ file: await api.sdk.toFile(Buffer.from(RETURNS), 'größe.txt'), purpose: 'assistants' });

  const ready = await files.waitForProcessing(made.id, { pollInterval: 50 });
  const content = await (await files.content(made.id)).text();
  const listed = await collected(files.list({ purpose: 'assistants', limit: 100 }));
  const gone = await files.delete(made.id);

  assert.deepEqual([made.filename, made.bytes, ready.status], ['größe.txt', RETURNS.length, 'processed']);
  assert.equal(content, RETURNS);
  assert(listed.some((file) => file.id === made.id));
  assert.deepEqual(gone, { id: made.id, object: 'file', deleted: true });
}

export async function stores_take_files_in_a_batch(api) {
  const { vectorStores } = api.client;
  const store = await vectorStores.create({ name: 'Handbook' });

  const batch = await vectorStores.fileBatches.uploadAndPoll(store.id, { files: await uploads(api) });
  const listed = await collected(vectorStores.files.list(store.id));
  const found = (await vectorStores.search(store.id, { query: 'returning a suitcase' })).data;

  assert.deepEqual([batch.status, batch.file_counts.completed], ['completed', 2]);
  assert.equal(listed.length, 2);
  assert.equal(found[0].filename, 'returns.txt');
  assert.deepEqual((await vectorStores.delete(store.id)).object, 'vector_store.deleted');
}

export async function a_file_is_polled_until_it_is_ready(api) {
  const { vectorStores } = api.client;
  const store = await vectorStores.create({});

  const file = await vectorStores.files.uploadAndPoll(store.id, (await uploads(api))[0]);
  const gone = await vectorStores.files.delete(file.id, { vector_store_id: store.id });

  assert.equal(file.status, 'completed');
  assert.equal(gone.object, 'vector_store.file.deleted');
}

export async function a_search_is_cited(api) {
  const { vectorStores } = api.client;
  const store = await vectorStores.create({});
  await vectorStores.fileBatches.uploadAndPoll(store.id, { files: await uploads(api) });
  const run = await api.run('search zebra tag', {
    tools: [{ type: 'file_search' }],
    tool_resources: { file_search: { vector_store_ids: [store.id] } },
  });

  const answer = (await api.threads.messages.list(run.thread_id, { limit: 1 })).data[0];

  assert.equal(run.status, 'completed', JSON.stringify(run));
  const { text } = answer.content[0];
  const cited = text.annotations[0];
  assert.equal(cited.type, 'file_citation', JSON.stringify(answer));
  assert.equal((await api.client.files.retrieve(cited.file_citation.file_id)).filename, 'returns.txt');
}

function uploads(api) {
  return Promise.all([
    api.sdk.toFile(Buffer.from(RETURNS), 'returns.txt'),
    api.sdk.toFile(Buffer.from(SHIPPING), 'shipping.md'),
  ]);
}
