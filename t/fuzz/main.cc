#include <cstdint>
#include <cstdio>
#include <cstdlib>

#include <algorithm>

#include "base/cut.h"
#include "fuzz.h"

namespace fuzz {

void must(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "DOES NOT HOLD: %s\n", what);
  std::abort();
}

std::vector<std::string> parts(std::string_view input, std::size_t count) {
  const auto found = cut::fields(input, '\f');
  std::vector<std::string> all(found.begin(), found.end());
  all.resize(count);
  return all;
}

bool is_printable(std::string_view text, std::string_view besides) {
  return std::all_of(text.begin(), text.end(),
                     [&](char c) { return (c >= 0x20 && c < 0x7f) || besides.find(c) != besides.npos; });
}

}  // namespace fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  fuzz::one({reinterpret_cast<const char*>(bytes), size});
  return 0;
}
