#!/bin/bash
# setup.sh demo|check: sees to it that the packages of tests/packages are there. Names what is
# missing and installs it, as root or through sudo; where neither can be had, lists it and fails.
set -euo pipefail
packages_file=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)/packages

# demo takes its own lines, check takes them all.
wanted() {
	sed 's/#.*//' "$packages_file" |
		awk -v who="$1" 'NF && (who == "check" || $2 == who) { print $1 }'
}

is_installed() {
	[[ $(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null) == installed ]]
}

missing() {
	local package
	for package in $(wanted "$1"); do
		is_installed "$package" || printf '%s\n' "$package"
	done
}

reason() {
	sed -nE "s/^$1 +[a-z]+ +# *//p" "$packages_file"
}

# Prints the words that make a command run as root; fails where nothing does.
as_root() {
	if [[ $(id -u) == 0 ]]; then
		echo env
	elif command -v sudo >/dev/null && { [[ -t 0 ]] || sudo -n true 2>/dev/null; }; then
		echo sudo env
	else
		return 1
	fi
}

# $root is split into words on purpose.
install_all() {
	local root=$1 options=(-y -q --no-install-recommends -o DPkg::Lock::Timeout=600)
	shift
	$root DEBIAN_FRONTEND=noninteractive apt-get install "${options[@]}" "$@" ||
		{ echo "The package lists may be old or missing: apt-get update, then once more." >&2 &&
			$root apt-get update -q &&
			$root DEBIAN_FRONTEND=noninteractive apt-get install "${options[@]}" "$@"; }
}

# Debian starts an sshd for everybody with this package; only the program is needed here.
quiet_sshd() {
	if [[ -d /run/systemd/system ]]; then
		$1 systemctl disable --now ssh.service
		echo "openssh-server was installed for its program only: its service is switched off."
	fi
}

mapfile -t lacking < <(missing "$1")
[[ ${#lacking[@]} -gt 0 ]] || exit 0

echo "These packages are missing:"
for package in "${lacking[@]}"; do
	printf '  %-22s %s\n' "$package" "$(reason "$package")"
done
if ! command -v apt-get >/dev/null || ! root=$(as_root); then
	echo "They can't be installed from here. As root: apt-get install ${lacking[*]}" >&2
	exit 1
fi

log=$(mktemp -t keystile-setup-XXXXXX.log)
echo "Installing them${root:+ (as root)}; what apt-get says goes to $log"
if ! install_all "$root" "${lacking[@]}" >"$log" 2>&1; then
	tail -n 20 "$log" >&2
	echo "apt-get failed. Needed: ${lacking[*]}" >&2
	exit 1
fi
if [[ " ${lacking[*]} " == *" openssh-server "* ]]; then
	quiet_sshd "$root"
fi
rm -f "$log"
