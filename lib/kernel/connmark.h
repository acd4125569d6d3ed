// kernel/connmark: the bits of the connection mark that the suite uses. By them the kernel, and
// conntrack, tell the flows that the suite translated from all others. The other 30 bits stay free for
// other users of connmark.
#pragma once

#include <cstdint>

namespace connmark {

// The suite translated the flow: FORWARD accepts it.
constexpr std::uint32_t kSuite = 0x08000000;
// It did so for a lease, whose flows have both bits.
constexpr std::uint32_t kLeaseBit = 0x10000000;
constexpr std::uint32_t kLease = kLeaseBit | kSuite;

}  // namespace connmark
