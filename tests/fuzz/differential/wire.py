"""Frames of the peer that both stacks talk to: Ethernet, ARP, IPv4 and TCP, written and read."""
import socket
import struct

FIN, SYN, RST, PSH, ACK, URG, ECE, CWR = (1 << bit for bit in range(8))
LETTERS = {"F": FIN, "S": SYN, "R": RST, "P": PSH, "A": ACK, "U": URG, "E": ECE, "C": CWR}
MASK = 0xffffffff
PEER_MAC = bytes.fromhex("020000000077")


def bits(letters):
    return sum(LETTERS[letter] for letter in letters)


def letters(flags):
    return "".join(letter for letter, bit in LETTERS.items() if flags & bit) or "-"


def signed(distance):
    """The distance of two sequence numbers, as a number around 0."""
    distance &= MASK
    return distance - (1 << 32) if distance >> 31 else distance


def checksum(data):
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack(f">{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return total ^ 0xffff


# ---- options ------------------------------------------------------------------------------------

def mss(value):
    return struct.pack(">BBH", 2, 4, value)


def wscale(shift):
    return struct.pack(">BBB", 3, 3, shift)


SACK_OK = b"\x04\x02"
NOP = b"\x01"


def timestamps(value, echo):
    return struct.pack(">BBII", 8, 10, value & MASK, echo & MASK)


def read_options(data):
    """kind -> content of the first of its kind."""
    found = {}
    while data and data[0] != 0:
        if data[0] == 1:
            data = data[1:]
            continue
        if len(data) < 2 or not 2 <= data[1] <= len(data):
            break
        found.setdefault(data[0], data[2:data[1]])
        data = data[data[1]:]
    return found


# ---- segments -----------------------------------------------------------------------------------

def build(source, target, mac, sport, dport, seq, ack, flags, window, payload=b"", options=b"", urgent=0, bad_checksum=False):
    options += b"\0" * (-len(options) % 4)
    tcp = struct.pack(">HHIIBBHHH", sport, dport, seq & MASK, ack & MASK, (20 + len(options)) << 2, flags, window, 0, urgent)
    tcp += options + payload
    src, dst = socket.inet_aton(source), socket.inet_aton(target)
    total = checksum(src + dst + struct.pack(">HH", 6, len(tcp)) + tcp) ^ (0x5555 if bad_checksum else 0)
    tcp = tcp[:16] + struct.pack(">H", total) + tcp[18:]
    ip = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 20 + len(tcp), 1, 0x4000, 64, 6, 0, src, dst)
    ip = ip[:10] + struct.pack(">H", checksum(ip)) + ip[12:]
    return mac + PEER_MAC + b"\x08\x00" + ip + tcp


class Segment:
    """What a stack has sent; None of parse() for anything else."""

    def __init__(self, tcp, when):
        self.sport, self.dport, self.seq, self.ack, offset, self.flags, self.window, _, self.urgent = struct.unpack(">HHIIBBHHH", tcp[:20])
        header = (offset >> 4) * 4
        self.length = len(tcp) - header
        self.options = read_options(tcp[20:header])
        self.when = when

    def end(self):
        return self.seq + self.length + bool(self.flags & SYN) + bool(self.flags & FIN)

    def __str__(self):
        return f"{letters(self.flags)} {self.seq}:{self.length} ack {self.ack} win {self.window}"


def parse(frame, when):
    if len(frame) < 54 or frame[12:14] != b"\x08\x00" or frame[23] != 6:
        return None
    header = (frame[14] & 15) * 4
    total = struct.unpack(">H", frame[16:18])[0] or len(frame) - 14
    return Segment(frame[14 + header:14 + total], when)


def arp_answer(frame, address):
    """The answer to a question for `address`, or None."""
    if len(frame) < 42 or frame[12:14] != b"\x08\x06" or frame[20:22] != b"\x00\x01" or frame[38:42] != socket.inet_aton(address):
        return None
    asker, asker_ip = frame[22:28], frame[28:32]
    return (asker + PEER_MAC + b"\x08\x06" + bytes.fromhex("0001080006040002") + PEER_MAC + socket.inet_aton(address) +
            asker + asker_ip)
