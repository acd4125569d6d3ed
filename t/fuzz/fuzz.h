// fuzz: what the harnesses have in common. Each t/fuzz/NAME.cc defines fuzz::one(), for
// one parser of foreign bytes or a few that read the same text, and says in its first lines
// what must hold of whatever they accept. libFuzzer finds the inputs.
//
//   make fuzz SECONDS=60 ONLY=status
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/failure.h"

namespace fuzz {

// Called for each input, defined by each harness. A crash, a report of a sanitizer, an exception
// that leaves it, and a must() that is not true are finds.
void one(std::string_view input);

// `what` is a sentence about behaviour, which is printed when it does not hold.
void must(bool holds, const char* what);

// The result of `parse`; absent when it refuses by a Failure of that code, in a text that is not
// much longer than the input.
template <typename Parse>
auto accepted(tool::Exit code, Parse parse) -> std::optional<decltype(parse())> {
  try {
    return parse();
  } catch (const tool::Failure& failure) {
    must(failure.code() == code, "a refusal has the code that the header says");
    must(std::string_view(failure.what()).size() < 65536, "the reason of a refusal is bounded");
    return std::nullopt;
  }
}

// The parts of an input for a parser of several texts, between form feeds; always `count`.
std::vector<std::string> parts(std::string_view input, std::size_t count);

// True if all of it is ASCII without control characters other than `besides`.
bool is_printable(std::string_view text, std::string_view besides = "");

}  // namespace fuzz
