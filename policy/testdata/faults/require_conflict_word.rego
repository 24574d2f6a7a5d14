package site.encryption.word

require contains {"mode": "cse", "on_conflict": "ignore"} if input.resource.key == "boom"
