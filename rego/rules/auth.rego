# METADATA
# title: Who asks
package sealgate.rules.auth

# METADATA
# title: A signature must have been checked
# description: A request that carries a signature is refused unless that signature is good.
# custom:
#   id: AUT-001
#   severity: critical
deny contains {
	"id": "AUT-001",
	"msg": "the signature was not verified",
	"path": "identity.verified",
} if {
	not input.identity.verified
	input.identity.auth_method != "anonymous"
}

# METADATA
# title: Without a signature only reading
# description: >-
#   Requests without a signature may read and list, as far as a grant names
#   "anonymous"; they may change nothing.
# custom:
#   id: AUT-002
#   severity: critical
deny contains {
	"id": "AUT-002",
	"msg": "requests without a signature may only read",
	"path": "identity.auth_method",
} if {
	input.identity.auth_method == "anonymous"
	not reading
}

reading if {
	input.request.class in {"read", "list"}
	input.request.read_only
}

# Browsers sign no preflight. It is granted like reading the bucket's CORS rules.
reading if input.request.operation == "OptionsPreflight"
