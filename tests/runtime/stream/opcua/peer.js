// A client of OPC UA that shares no code with the server: node-opcua does what JSON objects ask,
// each in a session of its own. Usage: node peer.js '[URL, PKI, [{"user": ..., "calls": [...]}]]'
"use strict";
const opcua = require("node-opcua-client");
const { OPCUACertificateManager } = require("node-opcua-certificate-manager");

const [url, pki, wishes] = JSON.parse(process.argv[2]);
const clientCertificateManager = new OPCUACertificateManager({
  rootFolder: pki, automaticallyAcceptUnknownCertificate: true });
const patience = 120000; // milliseconds

async function nodeAt(session, path) {
  const found = await session.translateBrowsePath(opcua.makeBrowsePath("ObjectsFolder", path));
  if (found.statusCode !== opcua.StatusCodes.Good) throw new Error(`${path}: ${found.statusCode}`);
  return found.targets[0].targetId;
}

async function browse(session, nodeId, into, depth) {
  const found = await session.browse({
    nodeId, browseDirection: opcua.BrowseDirection.Forward,
    referenceTypeId: "HierarchicalReferences", includeSubtypes: true, resultMask: 63,
  });
  for (const reference of found.references) {
    const name = reference.browseName.toString();
    into[name] = {};
    if (depth > 1) await browse(session, reference.nodeId, into[name], depth - 1);
  }
}

async function listen(session, wish, told) {
  const fields = ["EventType", "Message", ...wish.fields.map((f) => `${wish.index}:${f}`)];
  const subscription = opcua.ClientSubscription.create(session, {
    requestedPublishingInterval: 100, requestedLifetimeCount: 6000,
    requestedMaxKeepAliveCount: 100, maxNotificationsPerPublish: 0, publishingEnabled: true,
  });
  const filter = opcua.constructEventFilter(fields, opcua.ofType(wish.eventType));
  const item = opcua.ClientMonitoredItem.create(
    subscription,
    { nodeId: wish.at, attributeId: opcua.AttributeIds.EventNotifier },
    { samplingInterval: 0, discardOldest: true, queueSize: 2000, filter },
    opcua.TimestampsToReturn.Both);
  const done = new Promise((resolve) => {
    item.on("changed", (event) => {
      const values = event.map((variant) => variant.value);
      told.events.push(String(values[2].id ?? values[2]));
      if (told.fields === null) told.fields = JSON.parse(JSON.stringify(values.slice(2)));
      if (told.events.length >= wish.results) resolve();
    });
  });
  await new Promise((resolve) => item.once("initialized", resolve));
  process.stdout.write("LISTENING\n");
  await done;
  await subscription.terminate();
}

async function grant(wish) {
  const told = { names: {}, values: {}, calls: [], events: [], fields: null };
  const security = wish.encrypted
    ? { mode: opcua.MessageSecurityMode.SignAndEncrypt, policy: opcua.SecurityPolicy.Basic256Sha256 }
    : { mode: opcua.MessageSecurityMode.None, policy: opcua.SecurityPolicy.None };
  const client = opcua.OPCUAClient.create({
    applicationName: "peer", endpointMustExist: false,
    connectionStrategy: { maxRetry: 0 }, transportTimeout: patience, requestedSessionTimeout: patience,
    securityMode: security.mode, securityPolicy: security.policy,
    ...(wish.certificate ? { certificateFile: wish.certificate, privateKeyFile: wish.key } : {}),
    clientCertificateManager,
  });
  await client.connect(url);
  const user = wish.user
    ? { type: opcua.UserTokenType.UserName, userName: wish.user, password: wish.password }
    : { type: opcua.UserTokenType.Anonymous };
  let session;
  try {
    session = await client.createSession(user);
    if (wish.browse) await browse(session, await nodeAt(session, wish.browse), told.names, 3);
    if (wish.results) await listen(session, wish, told);
    for (const path of wish.read || []) {
      const value = await session.read({ nodeId: await nodeAt(session, path) });
      told.values[path] = JSON.parse(JSON.stringify(value.value.value));
    }
    for (const call of wish.calls || []) {
      const objectId = await nodeAt(session, call.object);
      const methodId = await nodeAt(session, `${call.object}.${call.method}`);
      const inputArguments = (call.arguments || []).map(([dataType, value]) =>
        ({ dataType: opcua.DataType[dataType], value }));
      const result = await session.call({ objectId, methodId, inputArguments });
      told.calls.push({
        status: result.statusCode.name,
        outputs: JSON.parse(JSON.stringify((result.outputArguments || []).map((v) => v.value))),
      });
    }
  } finally {
    if (session) await session.close();
    await client.disconnect();
  }
  return told;
}

async function main() {
  const all = [];
  for (const wish of wishes) {
    all.push(await grant(wish).catch((error) => ({ error: error.message })));
  }
  process.stdout.write(`${JSON.stringify(all)}\n`, () => process.exit(0));
}

main();
