#!/bin/sh
# Records this node's network for pytest-netconform, without changing it. Needs root and a POSIX sh.
#
#   sh record.sh              writes netconform-NODE.tar to the current directory
#   sh record.sh FILE.tar     writes FILE.tar; - is standard output
#
# Judge it anywhere, without root:  pytest --netconform-replay netconform-NODE.tar
# Keys and tokens are left out. What it holds is still the node's configuration: keep it as you keep that.
set -u
LC_ALL=C
export LC_ALL
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin
umask 077
tab=$(printf '\t')
newline='
'
child='' part='' top='' net='' where=''
#@LARGEST@

# All is in functions, and the last line calls: half a script does nothing, and no command reads the rest of it.
main() {
	out=${1:-}
	prepare
	say "recording $name"
	about >"$dir/recording"
	uname -r >"$dir/uname"
	tables "$dir/self" ''
	set -- /proc/sys/net
#@SYSCTLS@
	sysctls "$@"
	record nsid.txt ip netns list-id
	record lsns.txt lsns -t net -n -r -o NS,NETNSID
	: >"$dir/files.tsv"
#@FILES@
	others
	seal
	pack
}

say() {
	printf '%s\n' "$*" >&2
}

give_up() {
	say "$*"
	exit 1
}

# quit STATUS: end because of a signal, and end first what runs.
quit() {
	trap '' HUP INT TERM PIPE
	if [ -n "$child" ]; then
		kill "$child" 2>/dev/null
		wait "$child"
	fi
	exit "$1"
}

clean() {
	[ -z "$top" ] || rm -rf "$top"
	[ -z "$part" ] || rm -f "$part"
}

prepare() {
	[ "$(id -u)" = 0 ] || give_up "run as root: what may not be read would look as if it were not there"
	[ -e /proc/self/ns/net ] || give_up "this is no Linux with network namespaces and /proc"
	trap clean EXIT
	trap 'quit 129' HUP
	trap 'quit 130' INT
	trap 'quit 141' PIPE
	trap 'quit 143' TERM
	node=$(uname -n)
	case $node in
	'' | .* | *[!A-Za-z0-9._-]*) name=node ;;
	*) name=$node ;;
	esac
	out=${out:-netconform-$name.tar}
	case $out in
	- | /*) ;;
	*) out=./$out ;;
	esac
	[ "$out" = - ] || [ -f "$out" ] || [ ! -e "$out" ] || give_up "$out is no file; - is standard output"
	find_tool tar
	[ -n "$tool" ] || give_up "tar: not found"
	find_tool nsenter
	nsenter=$tool
	find_tool sha256sum
	sha256sum=$tool
	find_tool timeout
	timeout=$tool
	[ -n "$timeout" ] && "$timeout" 1 true 2>/dev/null || timeout='' # an old busybox wants it spelt otherwise
	top=$(mktemp -d) || exit 1
	dir=$top/$name
	mkdir -p "$dir/files" || exit 1
}

about() {
	printf 'format\tnetconform-recording-1\n'
	escape "$node"
	printf 'node\t%s\n' "$escaped"
	printf 'machine\t%s\n' "$(cat /etc/machine-id 2>/dev/null)"
	printf 'boot\t%s\n' "$(cat /proc/sys/kernel/random/boot_id 2>/dev/null)"
	printf 'time\t%s\n' "$(date +%s)"
	[ -z "$sha256sum" ] || printf 'sums\tSHA256SUMS\n'
}

# escape TEXT: set $escaped to it without what would end a cell or a line.
escape() {
	escaped=$1
	case $1 in
	*[\\"$tab$newline"]*)
		replace "\\" "\\\\"
		replace "$tab" '\t'
		replace "$newline" '\n'
		;;
	esac
}

# replace FROM TO: in $escaped, everywhere.
replace() {
	rest=$escaped escaped=''
	while :; do
		case $rest in
		*"$1"*) ;;
		*) break ;;
		esac
		escaped=$escaped${rest%%"$1"*}$2
		rest=${rest#*"$1"}
	done
	escaped=$escaped$rest
}

# find_tool NAME: set $tool to a program on the PATH, else to an applet of a busybox sh, else to nothing.
find_tool() {
	tool=''
	saved=$IFS
	IFS=:
	for place in $PATH; do
		if [ -f "$place/$1" ] && [ -x "$place/$1" ]; then
			tool=$place/$1
			break
		fi
	done
	IFS=$saved
	[ -n "$tool" ] || ! command -v "$1" >/dev/null 2>&1 || tool=$1
}

# run COMMAND...: run it so that a signal to us ends it too.
run() {
	"$@" </dev/null &
	child=$!
	wait "$child"
	status=$?
	child=''
	return "$status"
}

# inside COMMAND...: run it in the namespace $net, or in our own, for a minute at most.
inside() {
	[ -z "$net" ] || set -- "$nsenter" "--net=$net" "$@"
	[ -z "$timeout" ] || set -- "$timeout" 60 "$@"
	run "$@"
}

# record FILE COMMAND...: keep what a command prints, what it complains of, and its exit status.
record() {
	file=$1
	shift
	shown=$*
	find_tool "$1"
	missing=''
	[ -z "$net" ] || [ -n "$nsenter" ] || missing=nsenter
	[ -n "$tool" ] || missing=$1
	if [ -n "$missing" ]; then
		: >"$where/$file"
		printf '%s: not found\n' "$missing" >"$where/$file.err"
		status=127
	else
		shift
		inside "$tool" "$@" >"$where/$file" 2>"$where/$file.err"
		if [ -s "$where/$file.err" ]; then # not all of a table that changed meanwhile: once more
			case $(cat "$where/$file.err") in
			*'Dump was interrupted'*) inside "$tool" "$@" >"$where/$file" 2>"$where/$file.err" ;;
			esac
		fi
		[ -s "$where/$file.err" ] || rm -f "$where/$file.err"
	fi
	printf '%s\t%s\t-\t%s\n' "$file" "$status" "$shown" >>"$where/commands.tsv"
}

# legacy NAMES FILE COMMAND...: record a command that would create tables, where there are some.
legacy() {
	names=$1
	shift
	if [ -e "/proc/net/$names" ]; then
		record "$names" cat "/proc/net/$names"
	else
		: >"$where/$names"
		printf '%s\t0\t-\tcat /proc/net/%s\n' "$names" "$names" >>"$where/commands.tsv"
	fi
	[ ! -s "$where/$names" ] || record "$@"
}

# sysctls PATH...: record kernel parameters, but for keys.
sysctls() {
	record sysctl.txt grep -r '' "$@"
	[ -s "$where/sysctl.txt" ] || return 0
	set --
#@SECRET_SYSCTLS@
	grep -v "$@" "$where/sysctl.txt" >"$top/kept"
	mv -f "$top/kept" "$where/sysctl.txt"
}

# tables DIRECTORY NET: record one network namespace; an empty NET is our own.
tables() {
	where=$1 net=$2
	mkdir "$where"
	: >"$where/commands.tsv"
#@COMMANDS@
}

# look PATTERN: keep the files that it matches, and that it was looked for.
look() {
	pattern=$1 parent=${1%/*} found=absent
	saved=$IFS
	IFS=''
	# shellcheck disable=SC2086 # it is to match files, and is none of the node's words
	set -- $pattern
	IFS=$saved
	for path in "$@"; do
		if [ -e "$path" ]; then
			found=matched
			keep "$path"
		fi
	done
	if [ -d "$parent" ] && ! ls "$parent" >/dev/null 2>&1; then
		found="error$tab$parent cannot be listed"
	fi
	escape "$pattern"
	printf '%s\t%s\n' "$escaped" "$found" >>"$dir/files.tsv"
}

# keep PATH: keep a file that is there, and what is known of it.
keep() {
	escape "$1"
	path_kept=$escaped target=''
	if ! known=$(stat -L -c "%a$tab%s" "$1" 2>&1) || { [ -L "$1" ] && ! target=$(readlink "$1"); }; then
		[ ! -e "$1" ] || printf '%s\terror\twhat it is could not be read\n' "$path_kept" >>"$dir/files.tsv"
		return
	fi
	size=${known#*"$tab"} outcome=seen kind=other
	if [ -f "$1" ]; then
		kind='file'
	elif [ -d "$1" ]; then
		kind='directory'
	elif [ -c "$1" ] || [ -b "$1" ]; then
		kind='device'
	fi
	if [ $kind = 'file' ] && [ "$size" -le "$largest" ] && ! is_secret "$1"; then
		outcome=kept
		mkdir -p "$dir/files${path_kept%/*}"
		if ! ${timeout:+"$timeout"} ${timeout:+10} cat "$1" >"$dir/files$path_kept" 2>/dev/null; then
			rm -f "$dir/files$path_kept"
			printf '%s\terror\tcannot be read\n' "$path_kept" >>"$dir/files.tsv"
			return
		fi
	fi
	escape "$target"
	printf '%s\t%s\t%s\t%s\t%s\n' "$path_kept" "$outcome" "$kind" "$known" "$escaped" >>"$dir/files.tsv"
}

is_secret() {
	case $1 in
#@SECRET_FILES@
	*) return 1 ;;
	esac
}

# others: record the network namespaces beside our own, that a name or a process leads to.
others() {
	printf 'inode\tname\tpid\n' >"$dir/netns.tsv"
	if ! own=$(stat -L -c '%d %i' /proc/self/ns/net); then
		printf 'incomplete\t\t\n' >>"$dir/netns.tsv"
		return
	fi
	printf '%s\t\t\n' "${own#* }" >>"$dir/netns.tsv"
	stat -L -c '%i %n' /proc/[0-9]*/ns/net 2>"$top/unseen" | sort -t/ -k3n >"$top/held"
	unseen=$(cat "$top/unseen")
	[ -s "$top/held" ] || unseen='Permission denied'
	case $unseen in
	*'Permission denied'*) printf 'incomplete\t\t\n' >>"$dir/netns.tsv" ;;
	esac
	seen=" ${own#* } "
	for path in /run/netns/*; do
		inode=$(stat -L -c '%d %i' "$path" 2>/dev/null)
		[ "${inode% *}" = "${own% *}" ] || continue # a file that a namespace left behind
		another "${inode#* }" "${path##*/}" "$(lowest "${inode#* }")" "$path"
	done
	while read -r inode path; do
		pid=${path#/proc/}
		another "$inode" '' "${pid%%/*}" "$path"
	done <"$top/held"
}

# lowest INODE: print the lowest of the processes that live in a namespace.
lowest() {
	while read -r inode path; do
		if [ "$inode" = "$1" ]; then
			path=${path#/proc/}
			echo "${path%%/*}"
			return
		fi
	done <"$top/held"
}

# another INODE NAME PID PATH
another() {
	case $seen in
	*" $1 "*) return ;;
	esac
	say "recording network namespace $1"
	pinned "$1" 2>/dev/null 9<"$4" || return
	seen="$seen$1 "
	escape "$2"
	printf '%s\t%s\t%s\n' "$1" "$escaped" "$3" >>"$dir/netns.tsv"
}

# pinned INODE: record the namespace that descriptor 9 holds, if it is the one that was found.
pinned() {
	[ "$(stat -L -c %i /proc/self/fd/9)" = "$1" ] || return 1
	tables "$dir/$1" /proc/self/fd/9
	sysctls /proc/sys/net
}

# seal: write down what all files are, so that damage is noticed. It fails where the disk is full.
seal() {
	[ -n "$sha256sum" ] || return 0
	(cd "$dir" && find . -type f -exec "$sha256sum" {} + >"$top/sums") || give_up "the recording cannot be sealed"
	mv -f "$top/sums" "$dir/SHA256SUMS" || exit 1
}

pack() {
	if [ "$out" = - ]; then
		packed || give_up "the recording cannot be written"
		return
	fi
	set -C # so that nobody's link is followed
	packing >"$out.part" || give_up "$out.part cannot be written"
	set +C
	mv -f "$part" "$out" || exit 1
	part=''
	say "wrote $out"
}

packing() {
	part=$out.part
	packed
}

packed() {
	run tar -C "$top" -cf - "$name"
}

main "$@"
