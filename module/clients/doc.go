// Package clients says who may call the gateway: access keys, their secrets
// and the identity behind them, from a file that is watched and never less
// protected than the secrets in it.
//
// The file is clients.yaml:
//
//	version: 1
//	clients:
//	  - access_key: SG5XQZ7K2M4N6P3R8T1V
//	    secret: …               # or secret_file: PATH, or secret_env: NAME
//	    principal: billing      # who this is to the policy
//	    groups: [finance]
//	    attributes: {team: ledger}
//	    expires: 2027-01-31T00:00:00Z
//	    disabled: false
//
// It must be a regular file that neither its group nor others can reach (mode
// 0600 or 0400), and so must every secret_file, which is found relative to the
// folder of clients.yaml. Windows has no such modes; there the file's
// access-control list is the operator's business.
//
// [Store] is the reading side, used by the running gateway. [Add],
// [SetDisabled] and [List] are the editing side, used by the command line;
// they replace the file atomically, so a gateway that watches it never sees
// half of an edit.
package clients
