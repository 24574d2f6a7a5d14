// Package underload changes the policy of a gateway while it serves.
package underload
