"""Uploads, lists, reads back and deletes with boto3, as its defaults have it.

Takes ENDPOINT, BUCKET and the AWS_* variables from the environment; prints
boto3's version; exits with an error if any byte differs.
"""

import hashlib
import io
import os
import urllib.request
import ssl

import boto3
from boto3.s3.transfer import TransferConfig
from botocore.config import Config
from botocore.exceptions import ClientError

BUCKET = os.environ["BUCKET"]
s3 = boto3.client(
    "s3",
    endpoint_url=os.environ["ENDPOINT"],
    config=Config(signature_version="s3v4", retries={"total_max_attempts": 1}, s3={"addressing_style": "path"}),
)


def content(size, seed):
    """size bytes that do not compress, the same for the same seed"""
    blocks = (hashlib.sha256(f"{seed} {i}".encode()).digest() for i in range(size // 32 + 1))
    return b"".join(blocks)[:size]


def read(key, **extra):
    return s3.get_object(Bucket=BUCKET, Key=key, **extra)["Body"].read()


def same(what, got, want):
    if got != want:
        raise SystemExit(f"{what}: got {got!r:.200}, want {want!r:.200}")


def expect(code, call, **arguments):
    try:
        call(**arguments)
    except ClientError as e:
        same("error", e.response["Error"]["Code"], code)
    else:
        raise SystemExit(f"{call.__name__} succeeded, want {code}")


def main():
    s3.create_bucket(Bucket=BUCKET)
    bodies = {
        "plain": content(100_000, "plain"),
        "a b+c/ü 日本/~%2F@:;=&?": content(65_537, "hard"),
        "empty": b"",
    }
    for key, body in bodies.items():
        s3.put_object(Bucket=BUCKET, Key=key, Body=body, Metadata={"a_b": "1", "c.d": "2"})
        same("metadata", s3.head_object(Bucket=BUCKET, Key=key)["Metadata"], {"a_b": "1", "c.d": "2"})
        same(key, read(key), body)
    same("range", read("plain", Range="bytes=65530-65550"), bodies["plain"][65530:65551])

    for algorithm in ("CRC32", "SHA1", "SHA256"):
        bodies[algorithm] = content(70_000, algorithm)
        s3.put_object(Bucket=BUCKET, Key=algorithm, Body=bodies[algorithm], ChecksumAlgorithm=algorithm)
        same(algorithm, read(algorithm, ChecksumMode="ENABLED"), bodies[algorithm])

    bodies["large"] = content(12 * 1024 * 1024 + 345, "large")
    parts = TransferConfig(multipart_threshold=6 << 20, multipart_chunksize=5 << 20, max_concurrency=3)
    s3.upload_fileobj(io.BytesIO(bodies["large"]), BUCKET, "large", Config=parts)
    down = io.BytesIO()
    s3.download_fileobj(BUCKET, "large", down, Config=parts)
    same("large", down.getvalue(), bodies["large"])
    s3.copy({"Bucket": BUCKET, "Key": "large"}, BUCKET, "copied", Config=parts)
    bodies["copied"] = bodies["large"]
    same("copied", read("copied"), bodies["large"])

    trust = ssl.create_default_context(cafile=os.environ["AWS_CA_BUNDLE"])
    bodies["presigned"] = content(1000, "presigned")
    put = s3.generate_presigned_url("put_object", Params={"Bucket": BUCKET, "Key": "presigned"})
    urllib.request.urlopen(urllib.request.Request(put, bodies["presigned"], {"Content-Type": ""}, method="PUT"), context=trust)
    get = s3.generate_presigned_url("get_object", Params={"Bucket": BUCKET, "Key": "presigned"})
    same("presigned", urllib.request.urlopen(get, context=trust).read(), bodies["presigned"])

    listed = {o["Key"]: o["Size"] for o in s3.list_objects_v2(Bucket=BUCKET)["Contents"]}
    same("listing", listed, {key: len(body) for key, body in bodies.items()})
    expect("NoSuchKey", s3.get_object, Bucket=BUCKET, Key="never-there")
    s3.delete_object(Bucket=BUCKET, Key="copied")
    reply = s3.delete_objects(Bucket=BUCKET, Delete={"Objects": [{"Key": key} for key in bodies]})
    same("errors of deleting", reply.get("Errors"), None)
    print(boto3.__version__)


main()
