# METADATA
# title: Building inputs for tests
# description: >-
#   base is a total input: a verified PutObject over TLS 1.3 under a posture of SSE-S3,
#   with everything granted. Tests merge what differs: testing.with_fields({"request": {…}}).
#   Objects merge, everything else is replaced.
package sealgate.lib.testing

import data.sealgate.lib.modes

observed_unknown := {"known": false, "mode": "unknown", "key_id": "", "bucket_key": "unset", "rank": -1}

base := {
	"schema": "sealgate.input/v1",
	"identity": {
		"auth_method": "sigv4-header",
		"verified": true,
		"access_key": "AKIDAPP",
		"principal": "app",
		"groups": [],
		"attributes": {},
	},
	"request": {
		"id": "4e1f0c9a",
		"operation": "PutObject",
		"action": "s3:PutObject",
		"actions": ["s3:PutObject"],
		"source_actions": [],
		"class": "write",
		"method": "PUT",
		"read_only": false,
		"content_length": 11,
		"multipart": {"active": false, "upload_id": "", "part_number": 0},
		"checksum": "",
		"acl": {"canned": "", "public": false},
		"tags": {},
		"storage_class": "",
		"presign": {"active": false, "age_s": 0, "expires_s": 0},
		"payload": "hash",
		"prefix": "",
		"headers": {},
		"key_count": 0,
	},
	"resource": {"bucket": "data", "key": "a/b.txt", "version_id": "", "prefixes": ["a/"]},
	"copy_source": {
		"present": false,
		"resource": {"bucket": "", "key": "", "version_id": "", "prefixes": []},
		"encryption": observed_unknown,
		"tenant": "",
	},
	"encryption": {
		"requested": {"mode": "none", "key_id": "", "context": {}, "bucket_key": "unset", "rank": 0},
		"explicit": false,
		"bucket_default": observed_unknown,
	},
	"object": {"known": false, "exists": false, "size": 0, "encryption": observed_unknown},
	"document": {"present": false, "kind": "", "settings": [], "blocked": [], "destinations": [], "opens": false, "suspends": false},
	"transport": {
		"tls": true,
		"tls_version": "1.3",
		"tls_version_num": 13,
		"source_ip": "192.0.2.7",
		"loopback": false,
		"sni": "s3.example.com",
		"networks": [],
		"cipher": "TLS_AES_128_GCM_SHA256",
		"client_cert": {"present": false, "subject": "", "sans": []},
	},
	"time": {
		"ns": 1795421350000000000,
		"rfc3339": "2026-11-23T08:09:10Z",
		"date": "2026-11-23",
		"hour": 8,
		"weekday": "Monday",
	},
	"posture": posture("sse-s3"),
	"grants": {"ids": ["all"], "missing": []},
	"gateway": {"upstream": "s3.example.net", "region": "eu-central-1", "revision": "000000000000"},
}

# A covered posture of one mode with every other field neutral.
posture(mode) := {
	"id": "data/",
	"bucket_glob": "data",
	"prefix": "",
	"mode": mode,
	"rank": modes.rank[mode],
	"key_id": "",
	"allowed_keys": [],
	"keyring": "",
	"context": {},
	"bucket_key": "unset",
	"on_conflict": "reject",
	"on_read": "decrypt",
	"classification": "",
	"floor": "",
	"tenant": "",
	"enforcement": "enforce",
	"residency": [],
	"networks": [],
	"checksum": "",
	"presign": "all",
	"presign_max_s": 0,
	"deletes": "allow",
	"max_delete_keys": 0,
	"required_context": [],
	"tls_min": 0,
	"client_cert": "",
	"key_tenants": {},
	"actions": {},
	"waivers": [],
}

# What an input shows where posture.yaml covers nothing.
uncovered := object.union(posture("none"), {"id": "", "bucket_glob": "", "mode": "", "rank": -1})

with_fields(changes) := object.union(base, changes)

put(mode) := with_fields({"posture": posture(mode)})

reading := {"request": {
	"operation": "GetObject",
	"action": "s3:GetObject",
	"actions": ["s3:GetObject"],
	"class": "read",
	"method": "GET",
	"read_only": true,
	"content_length": 0,
	"payload": "none",
}}

get := with_fields(reading)

# A client that names its own encryption.
asks(mode, key) := {"encryption": {
	"explicit": true,
	"requested": {"mode": mode, "rank": modes.rank[mode], "key_id": key},
}}

document(operation, settings) := {
	"request": {"operation": operation, "class": "bucket-config"},
	"document": {"present": true, "kind": operation, "settings": settings},
}

setting(mode, key) := {
	"path": "Rule/ApplyServerSideEncryptionByDefault",
	"mode": mode,
	"rank": object.get(modes.rank, mode, -1),
	"key_id": key,
	"bucket_key": "unset",
}

ids(findings) := {f.id | some f in findings}
