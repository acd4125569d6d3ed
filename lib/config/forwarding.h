// config/forwarding: the program that forwards a session's UDP, <forwarding_type> of aspera.conf.
#pragma once

namespace config {

enum class Forwarding { iptables, nftables };

}  // namespace config
