// kernel/connmark: which bits of the connection mark are the suite's. By them the kernel,
// and conntrack, tell the flows that the suite translated from everybody else's. The
// other 30 stay free for other users of connmark.
#pragma once

#include <cstdint>

namespace connmark {

// The suite translated it: FORWARD lets it through.
constexpr std::uint32_t kSuite = 0x08000000;
// And it did so for a lease, whose flows have both bits.
constexpr std::uint32_t kLeaseBit = 0x10000000;
constexpr std::uint32_t kLease = kLeaseBit | kSuite;

}  // namespace connmark
