// Package vip moves a pool's virtual address: a Mover puts it on the host of a node, takes it
// off, tells the neighbours, and looks where it is.
//
// Of kind metal, the addresses are put on the hosts' interfaces: on this host by netlink, on
// others by the program ip, in one round trip. IPv4 goes on as /32, IPv6 as /128 with nodad and
// preferred_lft 0. Add sends the first announcement (gratuitous ARP as request and as reply,
// unsolicited neighbour advertisement) before it returns, and goes on with them in the background
// for Options.AnnounceFor, for as long as the host has the address and no other node was given
// it. Frames are built here; on another host perl or python3 sends them, or arping and ndsend
// their own. A host that can announce in no way still gets the address: its neighbours notice
// some half a minute later, Check says so beforehand, and Options.Log when it happens.
//
// Every operation can be repeated, looks at what it has done, and judges by that alone: an
// address that is there with another prefix or on another interface is put right by Add and
// taken off by Remove. What Remove takes off takes no other address of its subnet with it.
//
// Of kind exec, a program does it; see Options.Program. Of kind none, there is nothing to do.
//
// A Mover is safe for concurrent use. Moves on one host wait for one another, looks for nobody;
// everything that takes a context ends with it, and after Options.Timeout at the latest. Close
// ends the announcements and waits for them. The hosts belong to whoever made them.
//
// To test: the tests run in network namespaces, with sshd in each; see package remotetest.
package vip
