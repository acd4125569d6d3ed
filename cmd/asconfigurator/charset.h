// charset: writes a value as the text of an element, in the document's encoding.
#pragma once

#include <string>
#include <string_view>

namespace asconfigurator {

// How characters beyond ASCII are written: as they are, or as &#228;.
enum class Charset { utf8, references };

// The encoding that the document declares.
Charset charset_of(std::string_view text);

// `value` (UTF-8) as the text of an element.
std::string escaped(std::string_view value, Charset charset);

}  // namespace asconfigurator
