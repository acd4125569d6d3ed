// kernel/nft: nftables rules put in force within this process, by libnftables, which is
// loaded at the first use; the only user of it. Takes what nft(8) takes with -f. Needs root. Failure{71}, with
// nft's own words.
//
// The text comes from typed values alone, never from outside: nft's language has
// an include.
#pragma once

#include <string>

namespace nft {

// Whether the library is there.
bool is_installed();

// All of `text` in one transaction, or nothing of it.
void apply(const std::string& text);
// The same; what nft said when it refused, empty when it did it.
std::string try_apply(const std::string& text);

// What `nft -j list WHAT` prints (libnftables-json(5)), for instance of "table
// inet sallyport_lease". Empty when there is no such thing.
std::string list(const std::string& what);

}  // namespace nft
