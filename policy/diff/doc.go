// Package diff compares two policies by asking both about the same requests, which it
// makes up: what newly passes, what newly fails, what is encrypted otherwise.
//
// Requests are made from what the two policies can tell apart. Operations, resources
// and identities come from the operation table and from what the postures and rules
// name, one fresh one of each besides; those that both policies treat alike are asked
// about once. The other fields have finite domains: the words of the input schema, both
// truth values, the texts and numbers that rules compare with (c-1, c, c+1), and one
// fresh text.
//
// Fields that a difference can depend on, because a rule reads them that only one of
// the policies has or that reads what differs between the postures, are combined
// in every way, around an ordinary request that at least one of the policies allows.
// All other fields are changed one at a time. Where that is more than the limit, fields
// are combined in pairs, the others kept as they are, and in the end nothing is
// combined; Coverage says which. What a gateway never knows of a request when it asks
// policy, of the object that is there and of the bucket's default, stays unknown.
//
// So a report is exhaustive for the domains it states. It is no proof for all texts.
package diff
