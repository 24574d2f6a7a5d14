// Uploads, lists, reads back and deletes with the AWS SDK for JavaScript, as its
// defaults have it. Takes ENDPOINT, BUCKET and the AWS_* variables from the
// environment; prints the SDK's version; exits with an error if any byte differs.
"use strict";
const assert = require("node:assert/strict");
const { createHash } = require("node:crypto");
const { Readable } = require("node:stream");
const {
  S3Client, CopyObjectCommand, CreateBucketCommand, DeleteObjectCommand, DeleteObjectsCommand, GetObjectCommand,
  HeadObjectCommand, ListObjectsV2Command, PutObjectCommand,
} = require("@aws-sdk/client-s3");
const { Upload } = require("@aws-sdk/lib-storage");
const { getSignedUrl } = require("@aws-sdk/s3-request-presigner");

const Bucket = process.env.BUCKET;
const client = new S3Client({ endpoint: process.env.ENDPOINT, forcePathStyle: true, maxAttempts: 1 });

// content returns size bytes that do not compress, the same for the same seed.
function content(size, seed) {
  const blocks = [];
  for (let i = 0; i * 32 < size; i++) blocks.push(createHash("sha256").update(`${seed} ${i}`).digest());
  return Buffer.concat(blocks).subarray(0, size);
}

async function read(Key, extra) {
  const reply = await client.send(new GetObjectCommand({ Bucket, Key, ...extra }));
  return Buffer.from(await reply.Body.transformToByteArray());
}

async function roundTrip(Key, Body, ContentLength) {
  const make = typeof body === "function" ? body : () => body;
  await client.send(new PutObjectCommand({ Bucket, Key, Body, ContentLength, Metadata: { a_b: "1", "c.d": "2" } }));
  const head = await client.send(new HeadObjectCommand({ Bucket, Key }));
  assert.deepEqual(head.Metadata, { a_b: "1", "c.d": "2" }, `metadata of ${Key}`);
}

async function main() {
  await client.send(new CreateBucketCommand({ Bucket }));

  const bodies = new Map([
    ["plain", content(100_000, "plain")],
    ["a b+c/ü 日本/~%2F@:;=&?", content(65_537, "hard")],
    ["empty", Buffer.alloc(0)],
  ]);
  for (const [Key, body] of bodies) {
    await roundTrip(Key, body);
    assert.ok((await read(Key)).equals(body), `body of ${Key}`);
  }

  // A stream whose checksum comes after it.
  const streamed = content(1_000_000, "streamed");
  await roundTrip("streamed", Readable.from([streamed.subarray(0, 300_000), streamed.subarray(300_000)]), streamed.length);
  assert.ok((await read("streamed")).equals(streamed), "body of streamed");
  assert.ok((await read("streamed", { Range: "bytes=65530-65550" })).equals(streamed.subarray(65530, 65551)), "range of streamed");

  const large = content(12 * 1024 * 1024 + 345, "large");
  await new Upload({ client, params: { Bucket, Key: "large", Body: Readable.from([large]) }, partSize: 5 * 1024 * 1024, queueSize: 3 }).done();
  assert.ok((await read("large")).equals(large), "body of large");

  await client.send(new CopyObjectCommand({ Bucket, Key: "copied", CopySource: `${Bucket}/streamed` }));
  assert.ok((await read("copied")).equals(streamed), "body of copied");

  const put = await fetch(await getSignedUrl(client, new PutObjectCommand({ Bucket, Key: "presigned" })), { method: "PUT", body: streamed });
  assert.equal(put.status, 200, `presigned PUT: ${await put.text()}`);
  const got = await fetch(await getSignedUrl(client, new GetObjectCommand({ Bucket, Key: "presigned" })));
  assert.ok(Buffer.from(await got.arrayBuffer()).equals(streamed), "body of presigned");

  const all = [...bodies.keys(), "streamed", "large", "copied", "presigned"];
  const listed = await client.send(new ListObjectsV2Command({ Bucket }));
  assert.deepEqual(listed.Contents.map((o) => o.Key).sort(), [...all].sort(), "listing");
  assert.equal(listed.Contents.find((o) => o.Key === "large").Size, large.length, "listed size");

  await client.send(new DeleteObjectCommand({ Bucket, Key: "copied" }));
  const deleted = await client.send(new DeleteObjectsCommand({ Bucket, Delete: { Objects: all.map((Key) => ({ Key })) } }));
  assert.equal(deleted.Errors, undefined, "deleting");
  await assert.rejects(read("plain"), { name: "NoSuchKey" });

  console.log(require("@aws-sdk/client-s3/package.json").version);
}

main().catch((e) => {
  console.error(e);
  process.exit(1);
});
