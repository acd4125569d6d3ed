// What nft prints as JSON: our own tables, and everybody's ruleset.
//
// options: -max_len=8192
#include <nlohmann/json.hpp>

#include "../../cmd/asperaproxy/packet_filter.h"
#include "firewall/nft_text.h"
#include "fuzz.h"
#include "kernel/nft_listing.h"

void fuzz::one(std::string_view input) {
  const auto listed = fuzz::accepted(tool::bad_input, [&] { return firewall::nft_text::parse(input); });
  if (listed) {
    fuzz::must(std::is_sorted(listed->elements.begin(), listed->elements.end()), "elements are sorted");
    for (const auto& element : listed->elements)
      fuzz::accepted(tool::bad_input, [&] { return firewall::nft_text::near({element}); });
    const auto listing = nft_listing::parse(input);
    for (const auto& element : listing.elements)
      fuzz::must(element.expires.count() >= 0, "what is left of a time is not negative");
    for (const auto& element : listing.elements) fuzz::must(listing.maps.contains(element.map), "an element has a map");
  }
  for (const bool translated : {false, true}) {
    const packet_filter::Packet packet{"udp", 33001, true, translated};
    const auto chains = fuzz::accepted(tool::bad_input, [&] { return packet_filter::read_nft(input, packet, true); });
    if (!chains) continue;
    for (const char* hook : {"forward", "prerouting", "input"}) {
      const auto fate = packet_filter::at_hook(*chains, hook);
      fuzz::must((fate.dropped == packet_filter::Answer::no) == fate.by.empty(),
                 "what drops has a name, or nothing does");
    }
  }
}
