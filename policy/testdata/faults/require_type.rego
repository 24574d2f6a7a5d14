package site.encryption.kind

require contains {"mode": "cse", "keyring": 7} if input.resource.key == "boom"
