// What a script with the official JavaScript client does on a platform with authentication; every step is checked.
//
//   node session.js <module directory> <api url> <auth url> <stream url> <user> <password>
//
// Prints a line for each step and exits with 0. The client throws unless the status code is the one that it wants.
'use strict';

const assert = require('assert');
const path = require('path');
const { createRequire } = require('module');

const [modules, api, auth, stream, user, password] = process.argv.slice(2);
const st2client = createRequire(path.join(modules, 'index.js'))('st2client');
const client = st2client({ api, auth, stream });

const refused = (status) => (error) => error.name === 'APIError' && error.status === status && !!error.message;
const ended = (execution) => ['succeeded', 'failed'].includes(execution.status);

// The first of the stream's events of that name which fits. Not by stream.wait(): that one asks its EventSource for
// removeEventListener, which the version that npm installs beside it has not.
const event = async (name, fits) => {
  const source = await client.stream.listen();
  const opened = new Promise((resolve) => source.addEventListener('open', resolve));
  const record = new Promise((resolve) => source.addEventListener(name, ({ data }) => {
    const candidate = JSON.parse(data);
    if (fits(candidate)) resolve(candidate);
  }));
  await opened;
  return { record };
};

const steps = {
  async 'a wrong password'() {
    await assert.rejects(client.authenticate(user, 'wrong'), refused(401));
    await assert.rejects(client.actions.list(), refused(401));
  },

  async 'logging in'() {
    const token = await client.authenticate(user, password);
    assert.strictEqual(token.user, user);
    assert.match(token.token, /^[0-9a-f]{32}$/);
    assert(new Date(token.expiry) > new Date());
  },

  async 'actions'() {
    const all = await client.actions.list();
    assert(all.some((action) => action.ref === 'core.local'));
    const overview = await client.actionOverview.get('core.local');
    assert(overview.parameters.cmd && overview.parameters.timeout);
    assert((await client.actionOverview.list()).length === all.length);
    assert.match(await client.actionEntryPoint.get('examples.lines'), /\S/);
    await assert.rejects(client.actions.get('no.such'), refused(404));
    const mine = { name: 'from_js', pack: 'default', runner_type: 'local-shell-cmd', enabled: true, entry_point: '' };
    const created = await client.actions.create({ ...mine, parameters: { cmd: { default: 'echo js' } } });
    assert.strictEqual(created.ref, 'default.from_js');
    await assert.rejects(client.actions.create(mine), refused(409));
    const edited = await client.actions.edit({ ...created, description: 'Other' });
    assert.strictEqual(edited.description, 'Other');
    await client.actions.delete(created.id);
    await assert.rejects(client.actions.get('default.from_js'), refused(404));
  },

  async 'executions: create, listen, watch, repeat, attribute, cancel'() {
    const heard = await event('st2.execution__update', (record) => record.parameters.cmd === 'echo one' && ended(record));
    const created = await client.executions.create({ action: 'core.local', parameters: { cmd: 'echo one' } });
    assert.strictEqual(created.status, 'requested');
    const update = await heard.record;
    assert.strictEqual(update.id, created.id);
    assert.strictEqual(update.result.stdout, 'one');
    const watched = await client.executions.watch(created.id, ended);
    assert.strictEqual(watched.context.user, user);
    const again = await client.executions.repeat(created.id, { parameters: { cmd: 'echo two' } });
    assert.strictEqual((await client.executions.watch(again.id, ended)).result.stdout, 'two');
    assert.strictEqual((await client.executions.attribute(again.id, 'result')).stdout, 'two');
    await assert.rejects(client.executions.create({ action: 'no.such' }), refused(400));
    await assert.rejects(client.executions.get('0123456789abcdef01234567'), refused(404));
    const endless = await client.executions.create({ action: 'core.local', parameters: { cmd: 'sleep 1000' } });
    await client.executions.watch(endless.id, (execution) => execution.status === 'running');
    await client.executions.delete(endless.id);
    const canceled = await client.executions.watch(endless.id, (execution) => execution.status === 'canceled');
    assert.strictEqual(canceled.status, 'canceled');
  },

  async 'pages of executions'() {
    const page = await client.executions.list({ limit: 2 });
    assert.strictEqual(page.length, 2);
    assert.strictEqual(client.executions.limit, 2);
    assert(client.executions.total >= 3);
    const [next] = await client.executions.list({ limit: 2, page: 2 });
    assert(!page.some((execution) => execution.id === next.id));
    const filters = await client.executionsFilters.list();
    assert(filters.action.includes('core.local'));
  },

  async 'rules and trigger types'() {
    assert((await client.triggerTypes.list()).some((type) => type.ref === 'core.st2.webhook'));
    const trigger = { type: 'core.st2.generic.actiontrigger' };
    const rule = { name: 'js', pack: 'default', enabled: true, trigger, action: { ref: 'core.noop' } };
    const criteria = { 'trigger.action_ref': { type: 'equals', pattern: 'no.such' } };
    const created = await client.rules.create({ ...rule, criteria });
    assert.strictEqual(created.ref, 'default.js');
    await assert.rejects(client.rules.create(rule), refused(409));
    const view = (await client.ruleOverview.list()).find((each) => each.ref === 'default.js');
    assert.match(view.action.description, /\S/);
    assert.strictEqual((await client.rules.edit({ ...created, enabled: false })).enabled, false);
    assert((await client.rules.list()).some((each) => each.id === created.id));
    await client.rules.delete(created.id);
    await assert.rejects(client.rules.get(created.id), refused(404));
  },

  async 'packs'() {
    assert((await client.packs.list()).some((pack) => pack.ref === 'core'));
    for (const [endpoint, ref] of [['packInstall', 'packs.install'], ['packUninstall', 'packs.uninstall']]) {
      const { execution_id: id } = await client[endpoint].schedule({ packs: ['demo'] });
      let done;
      // The client itself gives up after ten seconds.
      for (let turn = 0; turn < 6 && !(done && ended(done)); turn += 1) {
        done = await client.executions.watch(id, ended);
      }
      assert.deepStrictEqual([done.action.ref, done.status], [ref, 'succeeded']);
    }
    const files = await client.packFiles.get('examples');
    assert(files.some((file) => file.file_path === 'pack.yaml'));
    assert.match(await client.packFile.get('examples/pack.yaml'), /name: examples/);
    assert(Array.isArray(await client.configs.list()));
    assert(Array.isArray(await client.configSchemas.list()));
  },

  async 'aliases'() {
    const alias = { name: 'js', pack: 'default', action_ref: 'core.echo', formats: ['js {{message}}'] };
    const created = await client.actionAlias.create(alias);
    assert((await client.actionAlias.list({ limit: -1 })).some((each) => each.ref === 'default.js'));
    const command = { name: 'js', format: 'js {{message}}', command: 'js hello', user, source_channel: 'script' };
    const { execution } = await client.aliasExecution.create(command);
    assert.strictEqual((await client.executions.watch(execution.id, ended)).result.stdout, 'hello');
    await client.actionAlias.delete(created.id);
    await assert.rejects(client.aliasExecution.create({ name: 'no.such', command: 'x' }), refused(400));
  },

  async 'an API key instead of a token'() {
    const { key, id } = await client.apikeys.create({ metadata: { used_by: 'a script' } });
    const machine = st2client({ api, auth, stream, key: { key } });
    assert.strictEqual((await machine.apikeys.get(id)).user, user);
    await client.apikeys.delete(id);
    await assert.rejects(machine.actions.list(), refused(401));
  },
};

(async () => {
  for (const [name, step] of Object.entries(steps)) {
    await step();
    console.log(name);
  }
  client.close();
  process.exit(0);
})().catch((error) => {
  console.error(error);
  process.exit(1);
});
