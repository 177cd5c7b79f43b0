#!/bin/sh
# Records this node's network for pytest-netconform, without changing it. Needs root and a POSIX sh.
#
#   sh record.sh              writes netconform-NODE.tar to the current directory
#   sh record.sh FILE.tar     writes FILE.tar; - is standard output
#
# Judge it anywhere, without root:  pytest --netconform-replay netconform-NODE.tar
set -u
if [ "$(id -u)" != 0 ]; then
	echo "run as root: what may not be read would look as if it were not there" >&2
	exit 1
fi
LC_ALL=C
export LC_ALL
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin
umask 077
node=$(uname -n)
out=${1:-netconform-$node.tar}
top=$(mktemp -d) || exit 1
trap 'rm -rf "$top"' EXIT
trap 'exit 1' HUP INT TERM
dir=$top/$node
mkdir -p "$dir/files" "$dir/self" || exit 1

say() {
	printf '%s\n' "$*" >&2
}

# record FILE COMMAND...: keep a command's output, what it said and its exit status, in the directory $where.
record() {
	file=$1
	shift
	if command -v "$1" >/dev/null 2>&1; then
		$enter "$@" >"$where/$file" 2>"$where/$file.err" </dev/null
		status=$?
	else
		: >"$where/$file"
		printf '%s: not found\n' "$1" >"$where/$file.err"
		status=127
	fi
	[ -s "$where/$file.err" ] || rm -f "$where/$file.err"
	printf '%s\t%s\t0\t%s\n' "$file" "$status" "$*" >>"$where/commands.tsv"
}

# tables DIRECTORY [COMMAND...]: record one network namespace, which COMMAND enters.
tables() {
	where=$1
	shift
	enter=$*
	mkdir -p "$where"
	: >"$where/commands.tsv"
#@COMMANDS@
	record nsid.txt ip netns list-id
	# Two of the values are secrets, and nothing that a check asks for.
	$enter grep -r '' /proc/sys/net 2>/dev/null |
		sed -e 's#^/proc/sys/##' -e '/stable_secret:/d' -e '/tcp_fastopen_key:/d' >"$where/sysctl.txt"
	printf 'sysctl.txt\t0\t0\tgrep -r /proc/sys/net\n' >>"$where/commands.tsv"
}

# look PATTERN: keep the files that it matches, and that it was looked for.
look() {
	parent=$(dirname "$1")
	if [ -d "$parent" ] && ! ls "$parent" >/dev/null 2>&1; then
		printf '%s\terror\t%s cannot be listed\n' "$1" "$parent" >>"$dir/files.tsv"
		return
	fi
	printf '%s\tabsent\n' "$1" >>"$dir/files.tsv"
	for path in $1; do
		[ -e "$path" ] && keep "$path"
	done
}

# keep PATH: keep a file that is there, and what it is.
keep() {
	kind=other
	if [ -f "$1" ]; then
		kind=file
	elif [ -d "$1" ]; then
		kind=directory
	elif [ -c "$1" ] || [ -b "$1" ]; then
		kind=device
	fi
	mode=$(stat -L -c %a "$1" 2>/dev/null || echo 644)
	size=$(stat -L -c %s "$1" 2>/dev/null || echo 0)
	if [ $kind = file ] && [ "$size" -le 1048576 ]; then
		mkdir -p "$dir/files$(dirname "$1")"
		if ! cat "$1" >"$dir/files$1" 2>/dev/null; then
			rm -f "$dir/files$1"
			printf '%s\terror\tcannot be read\n' "$1" >>"$dir/files.tsv"
			return
		fi
	fi
	printf '%s\tpresent\t%s\t%s\t%s\t%s\n' "$1" $kind "$mode" "$size" "$(readlink "$1")" >>"$dir/files.tsv"
}

say "recording $node"
{
	printf 'format\tnetconform-recording-1\n'
	printf 'node\t%s\n' "$node"
	printf 'machine\t%s\n' "$(cat /etc/machine-id 2>/dev/null)"
	printf 'boot\t%s\n' "$(cat /proc/sys/kernel/random/boot_id 2>/dev/null)"
	printf 'time\t%s\n' "$(date +%s)"
} >"$dir/recording"
uname -r >"$dir/uname"
tables "$dir/self"

: >"$dir/files.tsv"
#@FILES@

own=$(readlink /proc/self/ns/net | tr -dc 0-9)
printf 'inode\tname\tpid\n%s\t\t\n' "$own" >"$dir/netns.tsv"
seen=" $own "

# another INODE NAME PID PATH: record a namespace beside the node's own.
another() {
	case $seen in *" $1 "*) return ;; esac
	seen="$seen$1 "
	printf '%s\t%s\t%s\n' "$1" "$2" "$3" >>"$dir/netns.tsv"
	say "recording network namespace ${2:-of process $3}"
	tables "$dir/$1" nsenter "--net=$4"
}

for path in /run/netns/*; do
	[ -e "$path" ] || continue
	inode=$(stat -L -c %i "$path" 2>/dev/null) || continue
	another "$inode" "$(basename "$path")" "" "$path"
done
for path in /proc/[0-9]*/ns/net; do
	inode=$(readlink "$path" 2>/dev/null | tr -dc 0-9)
	[ -n "$inode" ] || continue
	pid=${path#/proc/}
	pid=${pid%/ns/net}
	another "$inode" "" "$pid" "$path"
done

if [ "$out" = - ]; then
	tar -C "$top" -cf - "$node"
else
	tar -C "$top" -cf "$out" "$node" && say "wrote $out"
fi
