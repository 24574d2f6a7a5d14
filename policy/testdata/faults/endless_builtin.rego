package site.rules.endless

deny contains {"id": "TST-001", "msg": "never"} if {
	input.resource.key == "boom"
	count(numbers.range(1, 1000000000000)) == 0
}
