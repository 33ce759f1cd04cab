#pragma once

#include "cli/figures.hpp"
#include "study/study.hpp"

namespace ito::cli {

namespace study = lab::study;

/// Draws a figure of the study: each panel as SVG.
Figure draw(Gnuplot& gnuplot, const study::Figure& figure);

}  // namespace ito::cli
