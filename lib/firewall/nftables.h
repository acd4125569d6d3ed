// firewall/nftables: the backend that uses nftables: it puts firewall/nft_text in force. Only
// firewall.cc uses it.
#pragma once

#include "firewall/backend.h"

namespace firewall::nftables {

Backend& backend();

}  // namespace firewall::nftables
