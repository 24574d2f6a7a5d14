# METADATA
# title: Modes and their strength
# description: The one table of ranks on this side; a Go test compares it with the gateway's.
package sealgate.lib.modes

rank := {
	"none": 0,
	"sse-s3": 10,
	"sse-c": 15,
	"sse-kms": 20,
	"dsse-kms": 30,
	"cse": 40,
}

kms := {"sse-kms", "dsse-kms"}

# A client may be left its own choice of encryption.
keeps := {"keep-if-stronger", "keep-if-allowed"}
