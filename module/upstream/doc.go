// Package upstream sends requests to the store: it builds the URL, signs with
// the gateway's or the caller's credentials, and guards the body on its way.
// It knows nothing of policy.
//
// What it promises of bodies: the store gets a complete request only if
// [Call].Body gave exactly Length bytes and then io.EOF; after [Client.Do] has
// returned, Body is not touched any more; and a request is sent a second
// time only if a connection kept from an earlier request died before the first
// byte of a reply, and there is no body or it is all there as [Call].Data.
package upstream
