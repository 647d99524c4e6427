/*
 * Where may the agent's cgroup connect to, and how many bytes went where? The hooks belong to the cgroup: who left it is not
 * held by them, and leaving is an event (CALL_CGROUP_LEAVE).
 */

#define PROTOCOL_TCP 6
#define PROTOCOL_UDP 17
#define ETHERTYPE_IPV4 0x0800
#define ETHERTYPE_IPV6 0x86dd
#define IPV6_HEADER_BYTES 40
#define NO_PREFIX4 32
#define NO_PREFIX6 128

/* False: everything is let through and reported. */
const volatile bool only_allowed = false;
const volatile bool watch_bytes = true;

struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(max_entries, 4096);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct prefix4);
	__type(value, struct allowed_ports);
} allowed4 SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(max_entries, 4096);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct prefix6);
	__type(value, struct allowed_ports);
} allowed6 SEC(".maps");

/* Since the loader emptied it. What finds no room is in the sums below all the same. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4096);
	__type(key, struct flow);
	__type(value, struct flow_bytes);
} flows SEC(".maps");

/* Read by the loader. */
__u64 bytes_sent = 0, bytes_received = 0;

static __always_inline bool has_port(const struct allowed_ports *allowed, __u16 port)
{
	if (!allowed)
		return false;
	if (allowed->count == 0)
		return true;
	for (int at = 0; at < MOST_PORTS; at++)
		if (at < allowed->count && allowed->ports[at] == port)
			return true;
	return false;
}

static __always_inline bool is_allowed4(const void *address, __u16 port)
{
	struct prefix4 key = {.bits = NO_PREFIX4};
	__builtin_memcpy(key.address, address, sizeof(key.address));
	return has_port(bpf_map_lookup_elem(&allowed4, &key), port);
}

static __always_inline bool is_allowed6(const void *address, __u16 port)
{
	struct prefix6 key = {.bits = NO_PREFIX6};
	__builtin_memcpy(key.address, address, sizeof(key.address));
	return has_port(bpf_map_lookup_elem(&allowed6, &key), port);
}

/* 1: go on. 0: the caller gets EPERM. */
static __always_inline int judge(struct record *record, struct bpf_sock_addr *to, __u32 kind)
{
	record->port = bpf_ntohs((__u16)to->user_port);
	bool is_allowed = !only_allowed ||
			  (record->family == FAMILY_INET
				   ? is_allowed4(record->address, record->port)
				   : is_allowed6(record->address, record->port));
	describe_current(record, kind);
	record->protocol = to->protocol;
	record->action = is_allowed ? ACTION_NONE : ACTION_DENIED;
	emit(record);
	return is_allowed;
}

static __always_inline int judge4(struct bpf_sock_addr *to, __u32 kind)
{
	struct record record = {.family = FAMILY_INET};
	__u32 address = to->user_ip4;
	__builtin_memcpy(record.address, &address, sizeof(address));
	return judge(&record, to, kind);
}

/* ::ffff:192.0.2.1 is 192.0.2.1, whichever family the socket has. */
static __always_inline int judge6(struct bpf_sock_addr *to, __u32 kind)
{
	struct record record = {.family = FAMILY_INET6};
	__u32 words[4] = {to->user_ip6[0], to->user_ip6[1], to->user_ip6[2], to->user_ip6[3]};
	if (words[0] == 0 && words[1] == 0 && words[2] == bpf_htonl(0xffff)) {
		record.family = FAMILY_INET;
		__builtin_memcpy(record.address, &words[3], sizeof(words[3]));
	} else {
		__builtin_memcpy(record.address, words, sizeof(words));
	}
	return judge(&record, to, kind);
}

struct packet_heads {
	struct flow remote;
	__u32 header_bytes;
};

static __always_inline bool read_ipv4(struct __sk_buff *packet, bool is_sent, struct packet_heads *heads)
{
	struct iphdr ip;
	if (bpf_skb_load_bytes(packet, 0, &ip, sizeof(ip)))
		return false;
	heads->remote.family = FAMILY_INET;
	heads->remote.protocol = ip.protocol;
	__builtin_memcpy(heads->remote.address, is_sent ? &ip.daddr : &ip.saddr, 4);
	heads->header_bytes = ip.ihl * 4;
	return true;
}

/* Extension headers are not walked: what has them is counted by its address, without a port. */
static __always_inline bool read_ipv6(struct __sk_buff *packet, bool is_sent, struct packet_heads *heads)
{
	struct ipv6hdr ip;
	if (bpf_skb_load_bytes(packet, 0, &ip, sizeof(ip)))
		return false;
	heads->remote.family = FAMILY_INET6;
	heads->remote.protocol = ip.nexthdr;
	__builtin_memcpy(heads->remote.address, is_sent ? &ip.daddr : &ip.saddr, 16);
	heads->header_bytes = IPV6_HEADER_BYTES;
	return true;
}

static __always_inline void add_to_flow(const struct flow *remote, __u32 bytes, bool is_sent)
{
	struct flow_bytes none = {}, *sums = bpf_map_lookup_elem(&flows, remote);
	if (!sums) {
		bpf_map_update_elem(&flows, remote, &none, BPF_NOEXIST);
		sums = bpf_map_lookup_elem(&flows, remote);
	}
	if (sums)
		__sync_fetch_and_add(is_sent ? &sums->sent : &sums->received, bytes);
}

/*
 * TCP and UDP were judged when the destination was named, and answers to whoever called the agent must pass. Anything else
 * that leaves (ICMP, SCTP) was judged by no hook above.
 */
static __always_inline bool may_leave(const struct flow *remote)
{
	if (!only_allowed || remote->protocol == PROTOCOL_TCP || remote->protocol == PROTOCOL_UDP)
		return true;
	return remote->family == FAMILY_INET ? is_allowed4(remote->address, 0)
					     : is_allowed6(remote->address, 0);
}

/* 1: the packet goes on. */
static __always_inline int count_packet(struct __sk_buff *packet, bool is_sent)
{
	struct packet_heads heads = {};
	__u16 ports[2];
	bool is_read = packet->protocol == bpf_htons(ETHERTYPE_IPV4)
			       ? read_ipv4(packet, is_sent, &heads)
			       : packet->protocol == bpf_htons(ETHERTYPE_IPV6) &&
					 read_ipv6(packet, is_sent, &heads);
	if (watch_bytes)
		__sync_fetch_and_add(is_sent ? &bytes_sent : &bytes_received, packet->len);
	if (!is_read)
		return !is_sent || !only_allowed;
	if ((heads.remote.protocol == PROTOCOL_TCP || heads.remote.protocol == PROTOCOL_UDP) &&
	    bpf_skb_load_bytes(packet, heads.header_bytes, ports, sizeof(ports)) == 0)
		heads.remote.port = bpf_ntohs(ports[is_sent ? 1 : 0]);
	if (watch_bytes)
		add_to_flow(&heads.remote, packet->len, is_sent);
	return !is_sent || may_leave(&heads.remote);
}
