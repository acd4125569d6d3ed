# sshd.sh: for tests that write an sshd_config.

# sshd_where_known LINE: print this line of sshd_config, where sshd knows its keyword.
sshd_where_known() {
  /usr/sbin/sshd -t -f /dev/null -o "$1" 2>&1 | grep -q 'Bad configuration option' || echo "$1"
}

# For tests that fail to log in on purpose: no address is shut out for that. (OpenSSH
# 9.8 and later do so after a few times.)
sshd_without_penalties() { sshd_where_known 'PerSourcePenalties no'; }
