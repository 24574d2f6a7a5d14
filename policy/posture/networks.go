package posture

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
)

// networks finds the names of the networks an address is in.
type networks struct {
	names   map[netip.Prefix][]string // sorted
	lengths [2][]int                  // of the prefixes: of IPv4, of IPv6; each once
}

func newNetworks(sets map[string][]string, p *problems) networks {
	n := networks{names: map[netip.Prefix][]string{}}
	for _, name := range slices.Sorted(maps.Keys(sets)) {
		place := fmt.Sprintf("networks[%s]", name)
		named("networks", p, name)
		if len(sets[name]) == 0 {
			p.add(place, "no network; write one such as 192.0.2.0/24")
		}
		for _, text := range sets[name] {
			prefix, err := netip.ParsePrefix(text)
			switch {
			case err != nil || prefix.Addr().Is4In6():
				p.add(place, "%.100q is not a network such as 192.0.2.0/24 or 2001:db8::/32", text)
			case prefix != prefix.Masked():
				p.add(place, "%q has bits beyond its length; write %s", text, prefix.Masked())
			default:
				n.add(prefix, name)
			}
		}
	}
	return n
}

func (n *networks) add(prefix netip.Prefix, name string) {
	if !slices.Contains(n.names[prefix], name) {
		n.names[prefix] = append(n.names[prefix], name)
	}
	lengths := &n.lengths[family(prefix.Addr())]
	if !slices.Contains(*lengths, prefix.Bits()) {
		*lengths = append(*lengths, prefix.Bits())
	}
}

func family(a netip.Addr) int {
	if a.Is4() {
		return 0
	}
	return 1
}

// Networks returns the names of the networks an address is in, sorted, each once; nil
// when there are none, or when it is no address. An IPv4 address is the same in its
// IPv6 form, and a zone is no part of it.
func (p *Posture) Networks(address string) []string {
	if len(p.networks.names) == 0 {
		return nil
	}
	a, err := netip.ParseAddr(address)
	if err != nil {
		return nil
	}
	a = a.Unmap().WithZone("")
	var found []string
	for _, bits := range p.networks.lengths[family(a)] {
		if prefix, err := a.Prefix(bits); err == nil {
			found = append(found, p.networks.names[prefix]...)
		}
	}
	slices.Sort(found)
	return slices.Compact(found)
}

// NamesNetworks reports whether the file names any network: if not, Networks has
// nothing to find.
func (p *Posture) NamesNetworks() bool { return len(p.networks.names) > 0 }
