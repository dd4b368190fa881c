// Package helperconf reads the configuration of MHA Helper, /etc/mha-helper/*.conf, as it is.
//
// A file is a cluster: [default] and a section for each host. Syntax and inheritance are those
// of Python 2's RawConfigParser, which MHA Helper used. What it did badly is done better: a key
// that is missing has a default; smtp_host is honoured in the section of a host; values of
// hosts are judged as those of [default] are; a host that is in two files is not silently that
// of the file that was read last; mail is never a reason to fail, so what is wrong with it is a
// warning; and everything that is wrong is said at once, with file, line and key.
//
// Load reads files of bounded size below one folder, so it may block on a slow file system;
// everything else is pure, and nothing is kept. No name is looked up in the DNS.
//
// A program that is called for a host, as MHA's hooks are, uses it so:
//
//	clusters, err := helperconf.Load(helperconf.Dir)            // err says all that is wrong anywhere
//	cluster, err := helperconf.Find(clusters, old, new)         // the one cluster that has these hosts
//	err = cluster.Usable()                                      // what is wrong in its own file
//	host, found := cluster.Host(old)
//
// The error of Load need not stop it: clusters are returned all the same, and what is wrong in
// the file of another cluster is no reason not to fail over this one.
//
// To test with it, give Read a text.
package helperconf
