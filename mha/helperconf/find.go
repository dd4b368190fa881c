package helperconf

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"mpp/fault"
)

// Why no cluster was found.
var (
	// ErrNoHost: no file has a section for each of the hosts.
	ErrNoHost = errors.New("no such host")
	// ErrAmbiguous: more than one file has.
	ErrAmbiguous = errors.New("the host is in more than one cluster")
)

// Find returns the one cluster that has a section for each of the hosts. The same name may be in
// two clusters: name all hosts that are known, the old writer and the new one, and it is found by
// the other. The error is ErrNoHost or ErrAmbiguous.
func Find(clusters []Cluster, hosts ...string) (*Cluster, error) {
	var found []*Cluster
	for i := range clusters {
		lacks := func(host string) bool { _, has := clusters[i].Host(host); return !has }
		if !slices.ContainsFunc(hosts, lacks) {
			found = append(found, &clusters[i])
		}
	}
	names := strings.Join(hosts, ", ")
	switch len(found) {
	case 1:
		return found[0], nil
	case 0:
		return nil, fmt.Errorf("find the cluster of %s: %w: write a section [HOST] for each in one file of %s", names, ErrNoHost, Dir)
	}
	files := make([]string, len(found))
	for i, c := range found {
		files[i] = c.File
	}
	return nil, fmt.Errorf("find the cluster of %s: %w: %s: give the hosts names of their own, in MHA's configuration, too", names, ErrAmbiguous, strings.Join(files, ", "))
}

// Usable says what keeps the cluster from being used, nil when nothing does: its Problems, and
// kinds of addresses that MPP does not move. The error is of type *fault.Problems.
func (c *Cluster) Usable() error {
	problems := slices.Clone(c.Problems)
	for i := range c.Hosts {
		h := &c.Hosts[i]
		if h.VIPType.Supported() {
			continue
		}
		at, set := h.From(KeyVIPType)
		if !set {
			at = h.At
		}
		problems = append(problems, fault.Problem{
			Origin: at, Key: KeyVIPType,
			Text: fmt.Sprintf("MPP does not move addresses of the type %q; MHA Helper did not either, and said that it had", h.VIPType),
			Hint: "write metal, or none and move the address by a program of your own",
		})
	}
	return fault.Join(fault.Sort(problems))
}
