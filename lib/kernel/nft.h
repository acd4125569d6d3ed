// kernel/nft: puts nftables rules in force within this process, by libnftables, which is loaded at the
// first use; the only user of it. It takes the same text as nft(8) with -f. Needs root. Failure{71},
// with nft's own message.
//
// The text comes from typed values alone, never from outside: nft's language has an include.
#pragma once

#include <string>

namespace nft {

// True if the library is there.
bool is_installed();

// Applies all of `text` in one transaction, or nothing of it.
void apply(const std::string& text);
// Does the same, and returns nft's message when it refused; empty when it succeeded.
std::string try_apply(const std::string& text);

// The output of `nft -j list WHAT` (libnftables-json(5)), for instance of "table inet
// sallyport_lease". Empty when there is no such thing.
std::string list(const std::string& what);

}  // namespace nft
