# cyr_cd changes to the directory of a mailbox. It is for the shell of an
# admin: . /usr/lib/cyrus/bin/cyr_cd.sh; cyr_cd user/fred. Flags are those of
# mbpath.
cyr_cd() {
	local dir
	dir=$(cyrus mbpath "$@") && [ -n "$dir" ] && cd "$dir"
}
