package site.encryption.context

require contains {"mode": "cse", "context": "department=finance"} if input.resource.key == "boom"
