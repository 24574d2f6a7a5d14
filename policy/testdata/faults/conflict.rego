package site.rules.conflict

verdict := "yes" if input.resource.key == "boom"

verdict := "no" if startswith(input.resource.key, "boom")

deny contains {"id": "TST-001", "msg": "never"} if verdict == "maybe"
