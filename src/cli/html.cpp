#include "cli/html.hpp"

#include <cstdint>

#include <fmt/format.h>

namespace ito::cli {
namespace {

/// RFC 4648.
std::string base64(std::string_view bytes) {
  constexpr std::string_view digits =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text;
  text.reserve((bytes.size() + 2) / 3 * 4);
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    std::uint32_t group = 0;
    for (std::size_t j = 0; j < 3; ++j)
      group = group << 8 | (i + j < bytes.size() ? static_cast<unsigned char>(bytes[i + j]) : 0u);
    for (std::size_t j = 0; j < 4; ++j)
      text += i + j > bytes.size() ? '=' : digits[group >> (18 - 6 * j) & 63u];
  }
  return text;
}

}  // namespace

std::string escaped(std::string_view text) {
  std::string result;
  for (const char c : text) {
    switch (c) {
      case '&':
        result += "&amp;";
        break;
      case '<':
        result += "&lt;";
        break;
      case '>':
        result += "&gt;";
        break;
      case '"':
        result += "&quot;";
        break;
      default:
        result += c;
    }
  }
  return result;
}

std::string embedded(const Picture& picture, std::string_view description) {
  return fmt::format("<img width=\"{}\" height=\"{}\" alt=\"{}\" src=\"data:{};base64,{}\">",
                     picture.width, picture.height, escaped(description), picture.media_type,
                     base64(picture.bytes));
}

std::string_view style_sheet() {
  return R"(
:root { color-scheme: light; --ink: #22262e; --soft: #5b616b; --line: #d9dde3; }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 2rem 1.1rem 4rem; max-width: 60rem; color: var(--ink);
       background: #fff; font: 1rem/1.55 Charter, "Bitstream Charter", "Iowan Old Style", Georgia, serif; }
h1 { font-size: 1.7rem; line-height: 1.2; margin: 0 0 .3rem; font-weight: 600; }
h1.part { font-size: 1.4rem; margin: 3rem 0 .6rem; border-top: 1px solid var(--line); padding-top: 1.2rem; }
h3 { font-size: 1rem; margin: 1.6rem 0 .3rem; font-weight: 600; }
h2 { font-size: 1.15rem; margin: 2.4rem 0 .6rem; font-weight: 600; }
p.subtitle { margin: 0 0 1.4rem; color: var(--soft); }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; margin: .4rem 0;
        border-top: 2px solid var(--ink); border-bottom: 2px solid var(--ink); }
th, td { padding: .28rem 1.1rem .28rem 0; text-align: left; white-space: nowrap; }
thead th { border-bottom: 1px solid var(--ink); font-weight: 600; }
td.number, th.number { text-align: right; }
tr.ours td { font-weight: 600; border-top: 1px solid var(--line); }
figure { margin: 0 0 1.4rem; }
.panels { display: flex; flex-wrap: wrap; gap: .8rem 1.2rem; }
.panels img { max-width: 100%; height: auto; }
figcaption { color: var(--soft); font-size: .92rem; max-width: 46rem; margin-top: .4rem; }
details { margin: .6rem 0; }
summary { cursor: pointer; color: var(--soft); }
@media (max-width: 36rem) {
  table { font-size: .86rem; }
  th, td { padding-right: .6rem; }
  td:first-child, th:first-child { white-space: normal; }
}
pre { overflow-x: auto; padding: .8rem; background: #f5f6f8; font-size: .82rem; line-height: 1.4; }
)";
}

std::string table_row(const std::vector<std::string>& cells, const char* attributes) {
  std::string text = fmt::format("<tr{}>", attributes);
  for (std::size_t i = 0; i < cells.size(); ++i)
    text += fmt::format("<td{}>{}</td>", i > 0 ? " class=\"number\"" : "", escaped(cells[i]));
  return text + "</tr>\n";
}

std::string table_html(const std::vector<std::string>& header, const std::string& rows) {
  std::string head;
  for (std::size_t i = 0; i < header.size(); ++i)
    head += fmt::format("<th{}>{}</th>", i > 0 ? " class=\"number\"" : "", escaped(header[i]));
  return fmt::format(
      "<div class=\"wide\"><table><thead><tr>{}</tr></thead><tbody>\n{}</tbody></table></div>\n",
      head, rows);
}

std::string figure_html(const Figure& figure) {
  std::string panels;
  for (const Figure::Panel& panel : figure.panels)
    panels += embedded(panel.picture, panel.description) + "\n";
  return fmt::format(
      "<h2>{}</h2>\n<figure><div class=\"panels\">\n{}</div><figcaption>{}</figcaption></figure>\n",
      escaped(figure.title), panels, escaped(figure.caption));
}

std::string page_head(const std::string& title, const std::string& heading,
                      const std::string& subtitle) {
  return fmt::format(
      "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n"
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
      "<title>{}</title>\n<style>{}</style></head><body>\n"
      "<h1>{}</h1>\n<p class=\"subtitle\">{}</p>\n",
      escaped(title), style_sheet(), escaped(heading), escaped(subtitle));
}

}  // namespace ito::cli
