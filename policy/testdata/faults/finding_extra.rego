package site.rules.extra

deny contains {"id": "TST-001", "msg": "no", "severity": "low"} if input.resource.key == "boom"
