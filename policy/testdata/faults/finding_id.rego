package site.rules.ident

deny contains {"id": "test", "msg": "no"} if input.resource.key == "boom"
