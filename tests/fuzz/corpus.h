/*
 * The parts of make-corpus: each writes the corpora of some fuzz targets into a folder.
 */
#ifndef CORPUS_H
#define CORPUS_H

#include <stdbool.h>

#include <keystile/buffer.h>

bool corpus_file(const char *folder, const char *name, struct bytes content);

bool corpus_messages(const char *folder);
bool corpus_subjects(const char *folder);
bool corpus_constraints(const char *folder);
bool corpus_destinations(const char *folder);
bool corpus_known_hosts(const char *folder);
bool corpus_certificates(const char *folder);

#endif
