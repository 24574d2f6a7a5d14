package site.encryption.field

require contains {"mode": "sse-s3", "keyid": "k"} if input.resource.key == "boom"
