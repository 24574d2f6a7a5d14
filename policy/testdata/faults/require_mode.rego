package site.encryption.mode

require contains {"mode": "sse-kmss"} if input.resource.key == "boom"
