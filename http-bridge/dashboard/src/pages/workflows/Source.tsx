import { lazy, Suspense, useMemo } from 'react';
import { useSearchParams } from 'wouter';
import { ordered, write, type Json, type Language } from '../../source/text';
import { Button, copyText, FilterSelect, Panel, SkeletonRows } from '../../ui';
import css from './workflows.module.css';

const Editor = lazy(async () => ({ default: (await import('../../source/Editor')).Editor }));

function download(name: string, text: string, language: Language): void {
    const link = document.createElement('a');
    link.href = URL.createObjectURL(new Blob([text], { type: `application/${language}` }));
    link.download = `${name.replaceAll('/', '_')}.${language}`;
    link.click();
    URL.revokeObjectURL(link.href);
}

/** A definition to read, to copy and to take away. */
export function Source({ name, spec, title }: { name: string; spec: Json; title: React.ReactNode }) {
    const [address, setAddress] = useSearchParams();
    const language: Language = address.get('as') === 'json' ? 'json' : 'yaml';
    const text = useMemo(() => write(ordered(spec), language), [spec, language]);
    return (
        <Panel
            className={css.fills}
            title={title}
            actions={
                <>
                    <div className={css.language}>
                        <FilterSelect
                            label="Language"
                            value={language}
                            onChange={(to) =>
                                setAddress(
                                    (before) => {
                                        const next = new URLSearchParams(before);
                                        if (to === 'json') next.set('as', to);
                                        else next.delete('as');
                                        return next;
                                    },
                                    { replace: true },
                                )
                            }
                            options={[
                                ['yaml', 'YAML'],
                                ['json', 'JSON'],
                            ]}
                        />
                    </div>
                    <Button kind="plain" small icon="copy" onClick={() => void copyText(text, 'Definition copied')}>
                        Copy
                    </Button>
                    <Button kind="plain" small icon="download" onClick={() => download(name, text, language)}>
                        Save
                    </Button>
                </>
            }
        >
            <Suspense fallback={<SkeletonRows count={10} />}>
                <Editor label={`Definition of ${name}`} value={text} language={language} />
            </Suspense>
        </Panel>
    );
}
