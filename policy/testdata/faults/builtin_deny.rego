package site.rules.builtin

deny contains {"id": "TST-001", "msg": "too large"} if {
	input.resource.key != ""
	to_number(input.resource.key) > 3
}
