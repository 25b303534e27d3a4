/* Rows: one for each unit and span of time in which something happened. */
#include "chart.h"
#include "csv.h"

static void put_head(FILE *to)
{
	fputs("seconds,column_seconds,start,bytes,class,region", to);
	for (unsigned layer = 0; layer < LAYERS; layer++)
		fprintf(to, ",%s", layer_kinds[layer].name);
	fputs(",pid,program\n", to);
}

/* A layer that could not be seen has no value, not 0. */
static void put_cell(FILE *to, const struct chart *c, const struct matrix_cell *cell)
{
	const struct matrix *m = c->m;
	const struct matrix_row *row = &m->row[cell->row];
	const double column = (double)m->column / (double)PC_SEC;

	fprintf(to, "%.3f,%.3f,0x%llx,%llu,", cell->column * column, column,
		(unsigned long long)chart_start(c, row), (unsigned long long)m->row_bytes);
	fprintf(to, "%s,", region_class_name(row->class));
	csv_word(to, row->label);
	for (unsigned layer = 0; layer < LAYERS; layer++) {
		if (chart_has(c, (enum layer)layer))
			fprintf(to, ",%u", cell->value[layer]);
		else
			putc(',', to);
	}
	fprintf(to, ",%d,", chart_process(c, row)->pid);
	csv_word(to, chart_process(c, row)->name);
	putc('\n', to);
}

void chart_csv(FILE *to, const struct chart *c)
{
	put_head(to);
	for (size_t i = 0; i < c->m->cell_count; i++)
		put_cell(to, c, &c->m->cell[i]);
}
