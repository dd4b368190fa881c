package vip

import (
	"bytes"
	"encoding/binary"
	"net"
	"net/netip"
)

// Ethernet's types of what a frame carries.
const (
	etherARP  = 0x0806
	etherIPv6 = 0x86dd
)

// broadcast is Ethernet's address of everybody.
func broadcast() net.HardwareAddr { return net.HardwareAddr{0xff, 0xff, 0xff, 0xff, 0xff, 0xff} }

// What an ARP packet is.
const (
	arpRequest = 1
	arpReply   = 2
)

// announcements are the frames that tell the neighbours that mac has the address now. IPv4 is
// told as request and as reply, because some listen to the one and some to the other; the reply
// names mac as its target, or Linux ignores it while its entry is young.
func announcements(mac net.HardwareAddr, address netip.Addr) [][]byte {
	if address.Is6() {
		return [][]byte{advertisement(mac, address)}
	}
	return [][]byte{
		arp(arpRequest, mac, address, address),
		arp(arpReply, mac, address, address),
	}
}

// question is the frame that asks who has the address, in the form that changes nobody's cache:
// the probe of RFC 5227, or the solicitation of duplicate address detection.
func question(mac net.HardwareAddr, address netip.Addr) []byte {
	if address.Is6() {
		return solicitation(mac, address)
	}
	return arp(arpRequest, mac, netip.IPv4Unspecified(), address)
}

// arp is a broadcast packet; a request does not know its target's hardware address, and a reply
// to everybody has the sender's there.
func arp(op uint16, mac net.HardwareAddr, sender, target netip.Addr) []byte {
	targetMAC := make(net.HardwareAddr, len(mac))
	if op == arpReply {
		targetMAC = mac
	}
	var b bytes.Buffer
	b.Write(broadcast())
	b.Write(mac)
	put16(&b, etherARP)
	put16(&b, 1)      // Ethernet
	put16(&b, 0x0800) // IPv4
	b.Write([]byte{6, 4})
	put16(&b, op)
	b.Write(mac)
	b.Write(sender.AsSlice())
	b.Write(targetMAC)
	b.Write(target.AsSlice())
	return b.Bytes()
}

// advertisement is an unsolicited neighbour advertisement to all nodes: override, not a router,
// with the option of the target's link-layer address.
func advertisement(mac net.HardwareAddr, address netip.Addr) []byte {
	var m bytes.Buffer
	m.Write([]byte{136, 0, 0, 0, 0x20, 0, 0, 0})
	m.Write(address.AsSlice())
	m.Write([]byte{2, 1})
	m.Write(mac)
	return icmp6(mac, address, netip.MustParseAddr("ff02::1"), m.Bytes())
}

// solicitation asks all who may have the address: its sender is nobody yet.
func solicitation(mac net.HardwareAddr, address netip.Addr) []byte {
	a := address.As16()
	group := netip.MustParseAddr("ff02::1:ff00:0").As16()
	copy(group[13:], a[13:])
	var m bytes.Buffer
	m.Write([]byte{135, 0, 0, 0, 0, 0, 0, 0})
	m.Write(a[:])
	return icmp6(mac, netip.IPv6Unspecified(), netip.AddrFrom16(group), m.Bytes())
}

// icmp6 wraps a message to a group whose checksum is not filled in yet. A group's address on
// Ethernet is 33:33 and the end of its own (RFC 2464).
func icmp6(mac net.HardwareAddr, from, group netip.Addr, message []byte) []byte {
	var pseudo bytes.Buffer
	pseudo.Write(from.AsSlice())
	pseudo.Write(group.AsSlice())
	pseudo.Write([]byte{0, 0, 0, byte(len(message)), 0, 0, 0, 58})
	binary.BigEndian.PutUint16(message[2:], checksum(append(pseudo.Bytes(), message...)))
	var b bytes.Buffer
	b.Write([]byte{0x33, 0x33})
	b.Write(group.AsSlice()[12:])
	b.Write(mac)
	put16(&b, etherIPv6)
	b.Write([]byte{0x60, 0, 0, 0, 0, byte(len(message)), 58, 255}) // neighbours demand hop limit 255
	b.Write(from.AsSlice())
	b.Write(group.AsSlice())
	b.Write(message)
	return b.Bytes()
}

// checksum is the Internet's (RFC 1071), of an even number of bytes.
func checksum(b []byte) uint16 {
	var sum uint32
	for i := 0; i < len(b); i += 2 {
		sum += uint32(binary.BigEndian.Uint16(b[i:]))
	}
	for sum > 0xffff {
		sum = sum>>16 + sum&0xffff
	}
	return ^uint16(sum)
}

func put16(b *bytes.Buffer, v uint16) { b.Write(binary.BigEndian.AppendUint16(nil, v)) }

// pattern is what a frame must have at an offset to be an answer.
type pattern struct {
	offset int
	bytes  []byte
}

// answers are the patterns of a frame in which somebody says that the address is his: an ARP
// packet with it as the sender, or an advertisement of it.
func answers(address netip.Addr) (etherType int, all []pattern) {
	if address.Is6() {
		return etherIPv6, []pattern{{12, []byte{0x86, 0xdd}}, {20, []byte{58}}, {54, []byte{136}}, {62, address.AsSlice()}}
	}
	return etherARP, []pattern{{12, []byte{0x08, 0x06}}, {28, address.AsSlice()}}
}

func matches(frame []byte, all []pattern) bool {
	for _, p := range all {
		if len(frame) < p.offset+len(p.bytes) || !bytes.Equal(frame[p.offset:p.offset+len(p.bytes)], p.bytes) {
			return false
		}
	}
	return true
}

// speaker is the hardware address that a frame that matches names as the address's owner.
func speaker(frame []byte) net.HardwareAddr {
	if binary.BigEndian.Uint16(frame[12:]) == etherARP {
		return net.HardwareAddr(bytes.Clone(frame[22:28]))
	}
	if len(frame) >= 86 && frame[78] == 2 && frame[79] == 1 {
		return net.HardwareAddr(bytes.Clone(frame[80:86]))
	}
	return net.HardwareAddr(bytes.Clone(frame[6:12]))
}
