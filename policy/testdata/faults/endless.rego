package site.rules.endless

deny contains {"id": "TST-001", "msg": "never"} if {
	input.resource.key == "boom"
	some x in numbers.range(1, 3000)
	some y in numbers.range(1, 3000)
	some z in numbers.range(1, 3000)
	x + y + z == -1
}
