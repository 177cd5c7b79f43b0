/* What the kernel itself takes: the requests and acknowledgements of `lan(n)` and the packets of its mesh, and nothing else.

   netns build N               build a LAN of N hosts; prints milliseconds
   netns rebuild N             build it, let go of all, and build it again at once; prints milliseconds of the second time,
                               from letting go on
   netns mesh N [permanent]    build it, then ping from each host to each other, twice; prints milliseconds of each
   netns settle                return when the kernel has destroyed every namespace that was let go of before */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <net/if.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define FIRST 0x0ac80000u /* 10.200.0.0, of which host i has the i-th address */
#define BRIDGE 1001u
#define BATCH 64
#define RAW_ICMP_FILTER 1

static char out[1 << 20], in[1 << 17];
static size_t len;
static unsigned sequence;

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static double now_ms(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1e3 + t.tv_nsec / 1e6;
}

/* Messages */

static void *room(size_t size)
{
	void *at = out + len;
	if (len + NLMSG_ALIGN(size) > sizeof out) {
		fprintf(stderr, "a batch of more than %zu bytes\n", sizeof out);
		exit(1);
	}
	memset(at, 0, NLMSG_ALIGN(size));
	len += NLMSG_ALIGN(size);
	return at;
}

static size_t attribute(int type, const void *data, size_t size)
{
	size_t start = len;
	struct rtattr *a = room(RTA_LENGTH(size));
	a->rta_type = type;
	a->rta_len = RTA_LENGTH(size);
	memcpy(RTA_DATA(a), data, size);
	return start;
}

static size_t nest(int type) { return attribute(type, "", 0); }
static void end(size_t start) { ((struct rtattr *)(out + start))->rta_len = len - start; }
static void text(int type, const char *value) { attribute(type, value, strlen(value) + 1); }

static void mac_of(unsigned ifindex, unsigned char mac[6])
{
	unsigned char address[6] = {2, 0, ifindex >> 24, ifindex >> 16, ifindex >> 8, ifindex};
	memcpy(mac, address, 6);
}

static void lladdr(int type, unsigned ifindex)
{
	unsigned char mac[6];
	mac_of(ifindex, mac);
	attribute(type, mac, 6);
}

static size_t message(int type, int flags)
{
	size_t start = len;
	struct nlmsghdr *h = room(sizeof *h);
	h->nlmsg_type = type;
	h->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | flags;
	h->nlmsg_seq = ++sequence;
	return start;
}

static void finish(size_t start) { ((struct nlmsghdr *)(out + start))->nlmsg_len = len - start; }

static struct ifinfomsg *link_header(unsigned ifindex, bool up)
{
	struct ifinfomsg *link = room(sizeof *link);
	link->ifi_index = ifindex;
	if (up)
		link->ifi_flags = link->ifi_change = IFF_UP;
	return link;
}

static void send_all(int sock)
{
	if (send(sock, out, len, 0) < 0)
		die("send");
	len = 0;
}

/* Send what was written, and wait for its acknowledgements. */
static void carry_out(int sock, int count)
{
	send_all(sock);
	while (count > 0) {
		ssize_t left = recv(sock, in, sizeof in, 0);
		if (left < 0)
			die("recv");
		for (struct nlmsghdr *h = (void *)in; NLMSG_OK(h, left); h = NLMSG_NEXT(h, left)) {
			if (h->nlmsg_type != NLMSG_ERROR)
				continue;
			int error = -((struct nlmsgerr *)NLMSG_DATA(h))->error;
			if (error) {
				fprintf(stderr, "refused: %s\n", strerror(error));
				exit(1);
			}
			count--;
		}
	}
}

/* Say whether the one link in a message is operational. */
static bool says_up(struct nlmsghdr *h)
{
	struct ifinfomsg *link = NLMSG_DATA(h);
	int left = IFLA_PAYLOAD(h);
	for (struct rtattr *a = IFLA_RTA(link); RTA_OK(a, left); a = RTA_NEXT(a, left))
		if (a->rta_type == IFLA_OPERSTATE)
			return *(unsigned char *)RTA_DATA(a) == 6;
	return false;
}

static void await_up(int sock, unsigned ifindex)
{
	for (bool up = false; !up;) {
		size_t m = message(RTM_GETLINK, 0);
		link_header(ifindex, false);
		finish(m);
		send_all(sock);
		for (bool acknowledged = false; !acknowledged;) {
			ssize_t left = recv(sock, in, sizeof in, 0);
			if (left < 0)
				die("recv");
			for (struct nlmsghdr *h = (void *)in; NLMSG_OK(h, left); h = NLMSG_NEXT(h, left)) {
				acknowledged |= h->nlmsg_type == NLMSG_ERROR;
				up |= h->nlmsg_type == RTM_NEWLINK && says_up(h);
			}
		}
	}
}

/* Namespaces */

static void set(const char *path, const char *value)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return; /* a kernel without IPv6 */
	if (write(fd, value, strlen(value)) < 0)
		die(path);
	close(fd);
}

static int route_netlink(void)
{
	int sock = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	if (sock < 0)
		die("socket");
	return sock;
}

static void make(int *ns, int *sock)
{
	if (unshare(CLONE_NEWNET))
		die("unshare");
	set("/proc/sys/net/ipv6/conf/default/accept_dad", "0");
	set("/proc/sys/net/ipv4/icmp_ratemask", "0");
	set("/proc/sys/net/ipv6/icmp/ratelimit", "0");
	*ns = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
	if (*ns < 0)
		die("/proc/thread-self/ns/net");
	*sock = route_netlink();
	size_t m = message(RTM_NEWLINK, 0);
	link_header(1, true);
	finish(m);
	carry_out(*sock, 1);
}

/* The LAN */

static unsigned port(int i) { return BRIDGE + 2 * i; }
static unsigned eth0(int i) { return BRIDGE - 1 + 2 * i; }

static void add_bridge(int sock)
{
	unsigned off = 0;
	unsigned char no = 0;
	size_t m = message(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL);
	link_header(BRIDGE, false);
	text(IFLA_IFNAME, "br0");
	lladdr(IFLA_ADDRESS, BRIDGE);
	size_t info = nest(IFLA_LINKINFO);
	attribute(IFLA_INFO_KIND, "bridge", 6);
	size_t data = nest(IFLA_INFO_DATA);
	attribute(IFLA_BR_STP_STATE, &off, 4);
	attribute(IFLA_BR_MCAST_SNOOPING, &no, 1);
	end(data);
	end(info);
	finish(m);
	carry_out(sock, 1);
}

static void set_bridge_up(int sock)
{
	unsigned char yes = 1;
	size_t m = message(RTM_NEWLINK, 0);
	link_header(BRIDGE, true);
	finish(m);
	m = message(RTM_NEWLINK, 0);
	link_header(BRIDGE, false);
	size_t info = nest(IFLA_LINKINFO);
	attribute(IFLA_INFO_KIND, "bridge", 6);
	size_t data = nest(IFLA_INFO_DATA);
	attribute(IFLA_BR_MCAST_SNOOPING, &yes, 1);
	end(data);
	end(info);
	finish(m);
	carry_out(sock, 2);
}

static void add_pair(int i, int ns)
{
	unsigned bridge = BRIDGE;
	char name[IFNAMSIZ];
	snprintf(name, sizeof name, "host%d", i);
	size_t m = message(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL);
	link_header(port(i), true);
	text(IFLA_IFNAME, name);
	lladdr(IFLA_ADDRESS, port(i));
	attribute(IFLA_MASTER, &bridge, 4);
	size_t info = nest(IFLA_LINKINFO);
	attribute(IFLA_INFO_KIND, "veth", 4);
	size_t data = nest(IFLA_INFO_DATA), peer = nest(VETH_INFO_PEER);
	link_header(eth0(i), false);
	text(IFLA_IFNAME, "eth0");
	lladdr(IFLA_ADDRESS, eth0(i));
	attribute(IFLA_NET_NS_FD, &ns, 4);
	end(peer);
	end(data);
	end(info);
	finish(m);
}

static void add_address(int i)
{
	unsigned address = htonl(FIRST + i);
	size_t m = message(RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL);
	struct ifaddrmsg *a = room(sizeof *a);
	a->ifa_family = AF_INET;
	a->ifa_prefixlen = 16;
	a->ifa_index = eth0(i);
	attribute(IFA_LOCAL, &address, 4);
	attribute(IFA_ADDRESS, &address, 4);
	finish(m);
	m = message(RTM_NEWLINK, 0);
	link_header(eth0(i), true);
	finish(m);
}

static void add_neighbour(int i, int other)
{
	unsigned address = htonl(FIRST + other);
	size_t m = message(RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_REPLACE);
	struct ndmsg *n = room(sizeof *n);
	n->ndm_family = AF_INET;
	n->ndm_ifindex = eth0(i);
	n->ndm_state = NUD_PERMANENT;
	attribute(NDA_DST, &address, 4);
	lladdr(NDA_LLADDR, eth0(other));
	finish(m);
}

static double build(int n, int *ns, int *sock)
{
	double start = now_ms();
	for (int i = 0; i <= n; i++)
		make(ns + i, sock + i);
	add_bridge(sock[0]);
	for (int i = 1, waiting = 1; i <= n; i++, waiting++) {
		add_pair(i, ns[i]);
		if (waiting == BATCH || i == n) {
			carry_out(sock[0], waiting);
			waiting = 0;
		}
	}
	for (int i = 1; i <= n; i++) {
		add_address(i);
		carry_out(sock[i], 2);
	}
	set_bridge_up(sock[0]);
	for (int i = 1; i <= n; i++)
		await_up(sock[0], port(i));
	for (int i = 1; i <= n; i++)
		await_up(sock[i], eth0(i));
	return now_ms() - start;
}

static void let_go(int n, int *ns, int *sock)
{
	for (int i = 0; i <= n; i++) {
		close(sock[i]);
		close(ns[i]);
	}
}

static void add_neighbours(int n, int *sock)
{
	for (int i = 1; i <= n; i++) {
		int waiting = 0;
		for (int other = 1; other <= n; other++) {
			if (other != i) {
				add_neighbour(i, other);
				waiting++;
			}
			if (waiting == BATCH || (other == n && waiting)) {
				carry_out(sock[i], waiting);
				waiting = 0;
			}
		}
	}
}

/* The mesh */

static unsigned short checksum(const void *data, int size)
{
	unsigned total = 0;
	for (const unsigned short *at = data; size > 1; size -= 2)
		total += *at++;
	total = (total & 0xffff) + (total >> 16);
	total += total >> 16;
	return ~total;
}

static int raw_socket(int ns)
{
	unsigned all_but_replies = ~1u;
	struct timeval patience = {2, 0};
	if (setns(ns, CLONE_NEWNET))
		die("setns");
	int sock = socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_ICMP);
	if (sock < 0)
		die("socket");
	setsockopt(sock, IPPROTO_RAW, RAW_ICMP_FILTER, &all_but_replies, sizeof all_but_replies);
	setsockopt(sock, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
	return sock;
}

static void ping(int sock, int i, int other)
{
	unsigned char packet[64] = {8}, reply[256];
	unsigned short id[2] = {htons(i), htons(other)}, sum;
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(FIRST + other)};
	memcpy(packet + 4, id, 4);
	sum = checksum(packet, sizeof packet);
	memcpy(packet + 2, &sum, 2);
	if (sendto(sock, packet, sizeof packet, 0, (void *)&to, sizeof to) < 0)
		die("sendto");
	do {
		if (recv(sock, reply, sizeof reply, 0) < 0)
			die("no reply, perhaps as the machine's table of neighbours is full (gc_thresh3)");
	} while (reply[20] != 0 || memcmp(reply + 24, packet + 4, 4));
}

static double mesh(int n, const int *ns)
{
	double start = now_ms();
	int *sock = calloc(n + 1, sizeof *sock);
	for (int i = 1; i <= n; i++)
		sock[i] = raw_socket(ns[i]);
	for (int i = 1; i <= n; i++)
		for (int other = 1; other <= n; other++)
			if (i != other)
				ping(sock[i], i, other);
	for (int i = 1; i <= n; i++)
		close(sock[i]);
	free(sock);
	return now_ms() - start;
}

/* Cleanup */

/* Let go of a namespace that holds one end of a veth pair, and wait until the other end has gone, too. */
static void outlive_one(void)
{
	int here, there, sock, unused, links = RTNLGRP_LINK;
	make(&there, &unused);
	close(unused);
	make(&here, &sock);
	size_t m = message(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL);
	link_header(BRIDGE, false);
	size_t info = nest(IFLA_LINKINFO);
	attribute(IFLA_INFO_KIND, "veth", 4);
	size_t data = nest(IFLA_INFO_DATA), peer = nest(VETH_INFO_PEER);
	link_header(BRIDGE, false);
	attribute(IFLA_NET_NS_FD, &there, 4);
	end(peer);
	end(data);
	end(info);
	finish(m);
	carry_out(sock, 1);
	setsockopt(sock, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &links, sizeof links);
	close(there);
	for (bool gone = false; !gone;) {
		ssize_t left = recv(sock, in, sizeof in, 0);
		if (left < 0)
			die("recv");
		for (struct nlmsghdr *h = (void *)in; NLMSG_OK(h, left); h = NLMSG_NEXT(h, left))
			gone |= h->nlmsg_type == RTM_DELLINK;
	}
	close(sock);
	close(here);
}

/* The kernel destroys namespaces in batches, one after the other: the second of ours is in one that starts after the
   end of that with what was let go of before. The third is for sockets that hold theirs for an instant longer. */
static void settle(void)
{
	for (int i = 0; i < 3; i++)
		outlive_one();
}

int main(int argc, char **argv)
{
	struct rlimit descriptors;
	getrlimit(RLIMIT_NOFILE, &descriptors);
	descriptors.rlim_cur = descriptors.rlim_max;
	setrlimit(RLIMIT_NOFILE, &descriptors);
	if (argc == 2 && !strcmp(argv[1], "settle")) {
		settle();
		return 0;
	}
	int n = argc > 2 ? atoi(argv[2]) : 0;
	if (n < 1 || (strcmp(argv[1], "build") && strcmp(argv[1], "rebuild") && strcmp(argv[1], "mesh"))) {
		fprintf(stderr, "usage: netns build N | rebuild N | mesh N [permanent] | settle\n");
		return 2;
	}
	int home = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	int *ns = calloc(n + 1, sizeof *ns), *sock = calloc(n + 1, sizeof *sock);
	double built = build(n, ns, sock);
	if (!strcmp(argv[1], "build")) {
		printf("%.3f\n", built);
		return 0;
	}
	if (!strcmp(argv[1], "rebuild")) {
		settle();
		if (setns(home, CLONE_NEWNET)) /* or one would live on with us */
			die("setns");
		double start = now_ms();
		let_go(n, ns, sock);
		build(n, ns, sock);
		printf("%.3f\n", now_ms() - start);
		return 0;
	}
	if (argc > 3)
		add_neighbours(n, sock);
	double first = mesh(n, ns);
	printf("%.3f %.3f\n", first, mesh(n, ns));
	return 0;
}
