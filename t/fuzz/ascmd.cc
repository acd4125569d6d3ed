// What a client says to ascmd, and what ascmd says to a client: however the bytes arrive, the lines are the same;
// what is accepted reads back; an answer that is understood is written again with the same meaning.
//
// Input: the size of the pieces in which it arrives, one byte; the bytes
//
// options: -max_len=4096
#include <algorithm>

#include "browse/answers.h"
#include "browse/request.h"
#include "browse/tlv.h"
#include "fuzz.h"

namespace {

std::vector<std::string> lines_of(std::string_view bytes, std::size_t piece) {
  browse::Lines lines;
  std::vector<std::string> found;
  const auto add = [&](const browse::Lines::Line& line) {
    fuzz::must(line.text.size() <= browse::kMaxLine, "a line is bounded");
    found.push_back(line.text);
  };
  for (; !bytes.empty(); bytes.remove_prefix(std::min(piece, bytes.size()))) {
    lines.add(bytes.substr(0, piece));
    while (const auto line = lines.next()) add(*line);
  }
  if (const auto line = lines.rest()) add(*line);
  return found;
}

void request(const std::string& line) {
  const auto parsed = fuzz::accepted(tool::bad_input, [&] { return browse::parse_request(line); });
  if (!parsed || !*parsed) return;
  const browse::Request& asked = **parsed;
  for (const auto& path : asked.paths)
    fuzz::must(!path.empty() && path.find('\0') == path.npos, "a path is one that the kernel takes");
  auto words = browse::request_words(line);
  std::string again;
  for (const auto& word : words) again += browse::quoted(word) + " ";
  fuzz::must(lines_of(again, 1).size() == 1, "words in quotes are one line");
  fuzz::must(browse::request_words(again) == words, "words in quotes read back");
  for (const auto& glob : asked.globs) {
    for (const auto& path : asked.paths) browse::glob_matches(glob, path);
  }
}

void answer(std::string_view bytes) {
  if (const auto all = browse::fields(bytes)) {
    std::string again;
    for (const auto& field : *all) browse::put(again, field.type, field.value);
    fuzz::must(again == bytes, "fields are written as they were read");
  }
  if (const auto stat = browse::stat_in(bytes)) {
    const std::string again = browse::file_answer(*stat);
    fuzz::must(browse::stat_in(std::string_view(again).substr(browse::kHeadSize)) == stat, "a stat reads back");
  }
  browse::entries_in(bytes);
  if (const auto size = browse::size_in(bytes)) {
    const std::string again = browse::size_answer(*size);
    fuzz::must(browse::size_in(std::string_view(again).substr(browse::kHeadSize)) == size, "a size reads back");
  }
  browse::error_in(bytes);
}

}  // namespace

void fuzz::one(std::string_view input) {
  if (input.empty()) return;
  const std::size_t piece = std::max<std::size_t>(1, static_cast<unsigned char>(input[0]));
  input.remove_prefix(1);
  const auto lines = lines_of(input, piece);
  must(lines == lines_of(input, input.size() + 1), "lines do not depend on how the bytes arrive");
  for (const auto& line : lines) request(line);
  answer(input);
}
